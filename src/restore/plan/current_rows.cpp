#include "restore/plan/current_rows.hpp"

#include <algorithm>

#include "core/chunk.hpp"
#include "postgres/catalog/inheritance.hpp"
#include "postgres/exec/setting_scope.hpp"
#include "postgres/exec/snapshot_scope.hpp"
#include "postgres/spi/spill_file.hpp"
#include "settings/settings.hpp"
#include "snapshot/changes_capture.hpp"

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

bool LiveRows::hold_for_changes(const ProtectedTable &table, const RelationShape &live) {
    if (orphans_)
        return false;
    hold_rows(table, live.relation);
    return true;
}

namespace {

/// Lock all protected tables for reading, without waiting. Return false if one cannot be locked, or each community has
/// its own.
bool hold_all_rows(const std::vector<ProtectedTable> &tables) {
    for (const ProtectedTable &table : tables) {
        if (!table.relation_name.empty() ||
            !call([&] { return ConditionalLockRelationOid(table.relation, AccessShareLock); }) ||
            !call([&] { return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(table.relation)); }))
            return false;
        hold_rows(table, table.relation);
    }
    return true;
}

/// Capture a community by the changes since its previous snapshot, if there is one to add them to and all tables can be
/// read. The locks of the tables end with the subtransaction that reads them: most of them are not part of the restore.
std::optional<Manifest> capture_changes_if_possible(const std::vector<Manifest> &head) {
    std::optional<Manifest> captured;
    std::vector<ProtectedTable> tables = protected_tables();
    if (settings().delta_limit == 0)
        return captured;
    std::optional<CapturedTables> read;
    std::optional<ChangesCapture> changes;
    std::optional<UndoneError> error = try_out([&] {
        if (!hold_all_rows(tables))
            return;
        SnapshotScope snapshot;
        read.emplace(tables);
        changes.emplace(head, *read);
        changes->find();
    });
    if (error && error->raised_by_postgres && !error->is_refusal())
        error->raise();
    if (error || !changes)
        return captured;
    std::vector<Manifest> manifests = changes->store();
    if (manifests.empty())
        return captured;
    captured = std::move(manifests.front());
    captured->basis = read->store_basis();
    return captured;
}

/// The manifest of the snapshot, under a new MVCC snapshot: that of the caller is older than the community's lock.
std::vector<Manifest> begin_snapshot(const std::string &community, const std::string &restore) {
    SnapshotScope snapshot;
    return new_manifests({{community}, "before_restore", "before restore " + restore, GetCurrentTimestamp()});
}

} // namespace

BeforeRestore::BeforeRestore(const std::string &community, const std::string &restore)
    : head_(begin_snapshot(community, restore)), changes_(capture_changes_if_possible(head_)), rows_(community),
      chunks_(community) {
    if (!changes_)
        capture_visited();
}

/// Capture the rows as they are read, and again those that were read before.
void BeforeRestore::capture_visited() {
    changes_.reset();
    SnapshotScope snapshot;
    capture_.emplace(head_);
    for (const ProtectedTable &table : visited_)
        capture_->add(table);
}

void BeforeRestore::note_visit(const ProtectedTable &table) {
    if (std::ranges::find(visited_, table.id, &ProtectedTable::id) == visited_.end())
        visited_.push_back(table);
}

bool BeforeRestore::hold_for_changes(const ProtectedTable &table, const RelationShape &live) {
    if (!changes_ || orphans_)
        return false;
    hold_guard(live.relation);
    hold_rows(table, live.relation);
    note_visit(table);
    return true;
}

std::uint64_t BeforeRestore::visit(const ProtectedTable &table, const RelationShape &live, const Visitor &visitor) {
    if (changes_ && orphans_) // rows that belong to no community now are not among its changes
        capture_visited();
    hold_guard(live.relation);
    hold_rows(table, live.relation);
    if (changes_) {
        note_visit(table);
        return rows_.visit(table, live, visitor);
    }
    {
        SnapshotScope snapshot;
        RowReader orphans = std::exchange(orphans_, nullptr);
        if (orphans)
            capture_->drop_last();
        capture_->add(table, orphans);
        capture_->flush();
    }
    const ManifestTable &captured = capture_->manifests().front().tables.back();
    for (std::size_t i = 0; i < captured.chunk_count(); i++) {
        Digest digest = captured.chunk(i);
        visitor(digest, [&] { return chunks_.get(digest); });
    }
    return static_cast<std::uint64_t>(captured.rows);
}

std::string BeforeRestore::finish() {
    std::vector<Manifest> manifests = changes_ ? std::vector<Manifest>{*changes_} : capture_->finish();
    write_manifests(manifests);
    return manifests.front().id;
}

} // namespace snapback
