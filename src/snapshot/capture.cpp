// Capture: live rows under one MVCC snapshot → sorted by community and key → chunks → store.
#include "snapshot/capture.hpp"

#include "core/chunk.hpp"
#include "postgres/snapshot_scope.hpp"
#include "postgres/spill_file.hpp"
#include "settings/settings.hpp"
#include "snapshot/chunk_store.hpp"
#include "snapshot/live_rows.hpp"

extern "C" {
#include "utils/uuid.h"
}

namespace snapback {

namespace {

/// Whether a shared table was dropped without being taken out of protection.
bool is_gone(const ProtectedTable &table) {
    return table.relation_name.empty() &&
           !call([&] { return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(table.relation)); });
}

/// One capture under way.
class Capture {
public:
    explicit Capture(const CaptureOrder &order)
        : order_(order), sorter_(settings().capture_memory(), open_temporary_file),
          chunks_(order_.communities, [this](std::uint32_t community, std::uint32_t table, const Digest &digest) {
              manifests_[community].tables[table].chunks.append(digest.view());
          }) {}

    std::vector<Manifest> run();

private:
    void begin_manifests();
    void capture_shared(const ProtectedTable &table);
    void capture_own(const ProtectedTable &table);
    void store_rows(const ProtectedTable &table, const Digest &shape, std::uint32_t first, std::uint32_t last);
    Digest remember(const Shape &shape);

    const CaptureOrder &order_;
    RowSorter sorter_;
    ChunkWriter chunks_;
    std::vector<Manifest> manifests_;
    std::map<Digest, Shape> shapes_;
};

void Capture::begin_manifests() {
    TimestampTz now = GetCurrentTimestamp();
    for (const std::string &community : order_.communities) {
        std::string id = text_from_datum(call([] { return DirectFunctionCall1(gen_random_uuid, 0); }), UUIDOID);
        manifests_.push_back({std::move(id), community, now, order_.kind, order_.label, {}});
    }
}

Digest Capture::remember(const Shape &shape) {
    Digest digest = sha256(shape.to_text());
    shapes_.emplace(digest, shape);
    return digest;
}

/// Drain the sorter into the manifests of communities [first, last): each gets an entry, if only an empty one.
void Capture::store_rows(const ProtectedTable &table, const Digest &shape, std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t i = first; i < last; i++)
        manifests_[i].tables.push_back({table.id, shape, 0, 0, {}});
    std::uint32_t current = first;
    ChunkCutter cutter([&](std::string &&content, std::uint32_t rows) {
        std::vector<ManifestTable> &tables = manifests_[current].tables;
        tables.back().rows += rows;
        tables.back().bytes += static_cast<std::int64_t>(content.size());
        chunks_.put(current, static_cast<std::uint32_t>(tables.size() - 1), std::move(content));
    });
    sorter_.drain([&](std::uint32_t community, std::string_view key, std::string_view row) {
        if (community != current) {
            cutter.finish();
            current = community;
        }
        cutter.add(key, row);
    });
    cutter.finish();
}

void Capture::capture_shared(const ProtectedTable &table) {
    RelationShape shape = relation_shape(table.relation);
    read_live_rows(
        table, shape, order_.communities,
        [&](std::uint32_t community, std::string_view key, std::string_view row) { sorter_.add(community, key, row); });
    store_rows(table, remember(shape.stored), 0, static_cast<std::uint32_t>(order_.communities.size()));
}

/// Capture a table that each community has in a schema of its own.
void Capture::capture_own(const ProtectedTable &table) {
    for (std::uint32_t i = 0; i < order_.communities.size(); i++) {
        RelationShape shape = relation_shape(relation_of(table, order_.communities[i]));
        read_live_table(shape, i, [&](std::uint32_t community, std::string_view key, std::string_view row) {
            sorter_.add(community, key, row);
        });
        store_rows(table, remember(shape.stored), i, i + 1);
    }
}

std::vector<Manifest> Capture::run() {
    begin_manifests();
    for (const ProtectedTable &table : protected_tables()) {
        // What is gone cannot be kept, and must not keep the rest from being restored. A capture for its own sake
        // fails.
        if (order_.kind == "before_restore" && is_gone(table))
            continue;
        if (table.relation_name.empty())
            capture_shared(table);
        else
            capture_own(table);
    }
    chunks_.flush();
    write_manifests(manifests_, shapes_);
    return std::move(manifests_);
}

} // namespace

std::vector<Manifest> capture(const CaptureOrder &order) {
    hold_store();
    SnapshotScope snapshot;
    return Capture(order).run();
}

} // namespace snapback
