// Capture: live rows under one MVCC snapshot → sorted by community and key → chunks → store.
#include "snapshot/capture.hpp"

#include <algorithm>

#include "catalog/column_names.hpp"
#include "core/chunk.hpp"
#include "postgres/snapshot_scope.hpp"
#include "postgres/spill_file.hpp"
#include "settings/settings.hpp"
#include "snapshot/live_rows.hpp"

extern "C" {
#include "utils/uuid.h"
}

namespace snapback {

namespace {

std::string new_uuid() {
    return text_from_datum(call([] { return DirectFunctionCall1(gen_random_uuid, 0); }), UUIDOID);
}

/// Note renames before paths are read, which may go by the renamed columns.
void note_shared_columns() {
    std::vector<Oid> relations;
    for (const ProtectedTable &table : protected_tables())
        if (table.relation_name.empty())
            relations.push_back(table.relation);
    note_columns(relations);
}

} // namespace

Capture::Capture(CaptureOrder order)
    : order_(std::move(order)), sorter_(settings().capture_memory(), open_temporary_file),
      chunks_(order_.communities, [this](std::uint32_t community, std::uint32_t table, const Digest &digest) {
          manifests_[community].tables[table].chunks.append(digest.view());
      }) {
    note_shared_columns();
    TimestampTz now = GetCurrentTimestamp();
    for (const std::string &community : order_.communities)
        manifests_.push_back({new_uuid(), community, now, order_.kind, {}});
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

void Capture::add_shared(const ProtectedTable &table) {
    RelationShape shape = relation_shape(table.relation);
    read_live_rows(
        table, shape, order_.communities,
        [&](std::uint32_t community, std::string_view key, std::string_view row) { sorter_.add(community, key, row); });
    store_rows(table, remember(shape.stored), 0, static_cast<std::uint32_t>(order_.communities.size()));
}

/// Capture a table that each community has in a schema of its own.
void Capture::add_own(const ProtectedTable &table) {
    for (std::uint32_t i = 0; i < order_.communities.size(); i++) {
        Oid relation = relation_of(table, order_.communities[i]);
        note_columns({&relation, 1});
        RelationShape shape = relation_shape(relation);
        read_live_table(shape, i, [&](std::uint32_t community, std::string_view key, std::string_view row) {
            sorter_.add(community, key, row);
        });
        store_rows(table, remember(shape.stored), i, i + 1);
    }
}

void Capture::add(const ProtectedTable &table) {
    if (table.relation_name.empty())
        add_shared(table);
    else
        add_own(table);
}

std::vector<Manifest> Capture::finish() {
    flush();
    for (Manifest &manifest : manifests_)
        std::sort(manifest.tables.begin(), manifest.tables.end(),
                  [](const ManifestTable &a, const ManifestTable &b) { return a.table_id < b.table_id; });
    write_manifests(manifests_, shapes_, order_.label);
    return std::move(manifests_);
}

std::vector<Manifest> capture(const CaptureOrder &order) {
    hold_store();
    SnapshotScope snapshot;
    Capture capture(order);
    for (const ProtectedTable &table : protected_tables())
        capture.add(table);
    return capture.finish();
}

} // namespace snapback
