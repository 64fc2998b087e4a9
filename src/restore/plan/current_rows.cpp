#include "restore/plan/current_rows.hpp"

#include "core/chunk.hpp"
#include "postgres/catalog/inheritance.hpp"
#include "postgres/exec/setting_scope.hpp"
#include "postgres/exec/snapshot_scope.hpp"
#include "postgres/spi/spill_file.hpp"
#include "settings/settings.hpp"
#include "snapshot/live_rows.hpp"

extern "C" {
#include "storage/lmgr.h"
}

namespace snapback {

namespace {

/// Lock a table so that its guard trigger cannot be dropped or disabled until the transaction ends.
void hold_guard(Oid relation) {
    for (Oid member : with_descendants(relation))
        call([&] { LockRelationOid(member, RowExclusiveLock); });
}

} // namespace

std::uint64_t LiveRows::visit(const ProtectedTable &table, const RelationShape &live, const Visitor &visitor) {
    hold_rows(table, live.relation);
    SnapshotScope snapshot;
    RowSorter sorter(settings().capture_memory(), open_temporary_file);
    std::uint64_t rows = 0;
    auto collect = [&](std::uint32_t group, std::string_view key, std::string_view row) {
        sorter.add(group, key, row);
        rows++;
    };
    if (table.relation_name.empty()) {
        std::optional<SettingScope> no_loops;
        if (by_hash_)
            no_loops.emplace("enable_nestloop", "off");
        read_live_rows(table, live, std::span<const std::string>(&community_, 1), collect);
    } else {
        read_live_table(live, 0, collect);
    }
    if (RowReader orphans = std::exchange(orphans_, nullptr))
        orphans(collect);
    ChunkCutter cutter([&](std::string &&content, std::uint32_t) {
        visitor(sha256(content), [&content] { return std::move(content); });
    });
    sorter.drain([&](std::uint32_t, std::string_view key, std::string_view row) { cutter.add(key, row); });
    cutter.finish();
    return rows;
}

namespace {

/// Begin the capture under a new snapshot: that of the caller is older than the community's lock.
Capture begin_capture(const std::string &community, const std::string &restore) {
    SnapshotScope snapshot;
    return Capture(new_manifests({{community}, "before_restore", "before restore " + restore, GetCurrentTimestamp()}));
}

} // namespace

BeforeRestore::BeforeRestore(const std::string &community, const std::string &restore)
    : capture_(begin_capture(community, restore)), chunks_(community) {}

std::uint64_t BeforeRestore::visit(const ProtectedTable &table, const RelationShape &live, const Visitor &visitor) {
    hold_guard(live.relation);
    hold_rows(table, live.relation);
    {
        SnapshotScope snapshot;
        RowReader orphans = std::exchange(orphans_, nullptr);
        if (orphans)
            capture_.drop_last();
        capture_.add(table, orphans);
        capture_.flush();
    }
    const ManifestTable &captured = capture_.manifests().front().tables.back();
    for (std::size_t i = 0; i < captured.chunk_count(); i++) {
        Digest digest = captured.chunk(i);
        visitor(digest, [&] { return chunks_.get(digest); });
    }
    return static_cast<std::uint64_t>(captured.rows);
}

std::string BeforeRestore::finish() {
    std::vector<Manifest> manifests = capture_.finish();
    write_manifests(manifests);
    return manifests.front().id;
}

} // namespace snapback
