// Capture of changes: rows written and keys removed since the previous snapshot → sorted by community and key → deltas.
#include "snapshot/changes_capture.hpp"

#include <algorithm>
#include <numeric>

#include "postgres/spi/spill_file.hpp"
#include "settings/settings.hpp"

namespace snapback {

namespace {

/// The deltas of a snapshot are merged into one when there would be more.
constexpr std::size_t most_deltas = 14;

/// Whether the changes of all tables can be found since a basis.
bool holds(const Basis &basis, const CapturedTables &tables) {
    return basis.fingerprints.size() == tables.all().size() &&
           std::ranges::all_of(tables.all(), [&](const CapturedTables::Table &table) {
               return basis.holds(table.table.id, table.fingerprint);
           });
}

/// The bases whose tables have the same shapes as now.
std::vector<std::string> bases_of_same_shapes(const std::vector<std::string> &bases, const CapturedTables &tables) {
    std::vector<std::int32_t> ids;
    std::vector<std::string> shapes;
    for (const CapturedTables::Table &table : tables.all()) {
        ids.push_back(table.table.id);
        shapes.emplace_back(table.shape_digest.view());
    }
    std::vector<std::string> same;
    Query query;
    for (Row row : query.run("SELECT b.id FROM snapback.base b JOIN snapback.table_set_member m USING (table_set)"
                             " LEFT JOIN ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) AS t(id, shape)"
                             " ON t.id = m.table_id AND t.shape = m.shape"
                             " WHERE b.id = ANY ($1) GROUP BY b.id"
                             " HAVING pg_catalog.count(*) = pg_catalog.cardinality($2)"
                             " AND pg_catalog.count(t.id) = pg_catalog.count(*)",
                             {Value::uuid_array(bases), Value::integer_array(ids), Value::bytea_array(shapes)}))
        same.push_back(row.text(1));
    return same;
}

std::map<std::string, std::int64_t> sizes_of(const std::vector<std::string> &bases) {
    std::map<std::string, std::int64_t> sizes;
    Query query;
    for (Row row : query.run("SELECT t.base, pg_catalog.sum(t.bytes)::bigint FROM snapback.base_table t"
                             " WHERE t.base = ANY ($1) GROUP BY t.base",
                             {Value::uuid_array(bases)}))
        sizes.emplace(row.text(1), row.bigint(2));
    return sizes;
}

/// Merge the deltas of a snapshot with newer ones, so that each row has one change.
std::vector<std::string> merged(const Manifest &manifest, std::vector<std::string> &&newer) {
    DeltaWriter writer;
    for (const auto &[table, changes] : newest_changes(manifest, std::move(newer))) {
        writer.begin(table);
        for (const Change &change : changes.changes)
            writer.add(change);
    }
    return writer.finish();
}

} // namespace

CapturedTables::CapturedTables(const std::vector<ProtectedTable> &tables) : taken_(snapshot_taken()) {
    for (const ProtectedTable &table : tables) {
        if (!table.relation_name.empty()) {
            can_be_basis_ = false;
            tables_.clear();
            return;
        }
        RelationShape shape = relation_shape(table.relation);
        Digest digest = sha256(shape.stored.to_text());
        tables_.push_back({table, std::move(shape), digest, table_fingerprint(table, table.relation)});
    }
    std::ranges::sort(tables_, {}, [](const Table &table) { return table.table.id; });
}

std::string CapturedTables::store_basis() const {
    std::vector<std::int32_t> ids;
    std::vector<std::string> fingerprints;
    for (const Table &table : tables_) {
        ids.push_back(table.table.id);
        fingerprints.push_back(table.fingerprint);
    }
    Query query;
    return query
        .run("INSERT INTO snapback.basis (taken, table_ids, fingerprints) VALUES ($1, $2, $3) RETURNING id",
             {Value::text(taken_), Value::integer_array(ids), Value::text_array(fingerprints)})[0]
        .text(1);
}

ChangesCapture::ChangesCapture(const std::vector<Manifest> &heads, const CapturedTables &tables)
    : tables_(tables), sorter_(settings().capture_memory(), open_temporary_file) {
    if (tables.can_be_basis() && settings().delta_limit > 0)
        find_previous(heads);
}

/// Find the newest snapshot of each community that changes can be added to.
void ChangesCapture::find_previous(const std::vector<Manifest> &heads) {
    struct Previous {
        const Manifest *head;
        Base base;
        std::string deltas;
        std::int64_t delta_bytes;
        std::string basis;
    };
    std::vector<Previous> found;
    std::vector<std::string> communities, base_ids, basis_ids;
    for (const Manifest &head : heads)
        communities.push_back(head.community);
    // Under the active snapshot: one that another session has captured since may contain later changes.
    Query query;
    Value list = Value::text_array(communities);
    query.stream(
        "SELECT (l.n - 1)::int, s.identity, b.id, b.sha256, s.deltas, s.delta_bytes, s.basis"
        " FROM pg_catalog.unnest($1) WITH ORDINALITY AS l(community, n) CROSS JOIN LATERAL"
        " (SELECT * FROM snapback.snapshot s WHERE s.community = l.community AND s.basis IS NOT NULL"
        "  ORDER BY s.captured_at DESC LIMIT 1) s"
        " JOIN snapback.base b ON b.id = s.base"
        " WHERE NOT EXISTS (SELECT FROM snapback.departure d WHERE d.community = s.community"
        " AND d.noticed_at >= s.captured_at)",
        std::span<const Value>(&list, 1), [&](TupleTableSlot *slot) {
            HeapTuple tuple = call([&] { return ExecCopySlotHeapTuple(slot); });
            Row row(tuple, slot->tts_tupleDescriptor);
            const Manifest &head = heads[static_cast<std::size_t>(row.integer(1))];
            if (!row.is_null(2) && row.optional_text(2) != head.identity)
                return;
            found.push_back(
                {&head, {row.text(3), Digest::from_bytes(row.bytes(4))}, row.bytes(5), row.bigint(6), row.text(7)});
            base_ids.push_back(found.back().base.id);
            basis_ids.push_back(found.back().basis);
        });
    std::map<std::string, std::uint64_t> since;
    for (const auto &[id, basis] : read_bases(basis_ids))
        if (holds(basis, tables_))
            since.emplace(id, basis.since());
    std::vector<std::string> usable = bases_of_same_shapes(base_ids, tables_);
    std::ranges::sort(usable);
    std::map<std::string, std::int64_t> sizes = sizes_of(usable);
    for (Previous &previous : found) {
        auto oldest = since.find(previous.basis);
        if (oldest == since.end() || !std::ranges::binary_search(usable, previous.base.id))
            continue;
        Manifest manifest = *previous.head;
        manifest.base = std::move(previous.base);
        manifest.deltas = std::move(previous.deltas);
        manifest.delta_bytes = previous.delta_bytes;
        names_.push_back(manifest.community);
        since_.push_back(oldest->second);
        std::size_t most = static_cast<std::size_t>(sizes[manifest.base->id] * settings().delta_limit / 100);
        std::size_t bytes = static_cast<std::size_t>(manifest.delta_bytes);
        communities_.push_back({std::move(manifest), {}, bytes, std::min(most, settings().capture_memory())});
    }
}

/// Read the community in full instead.
void ChangesCapture::Community::give_up() {
    read_in_full = true;
    changes = DeltaWriter();
}

std::size_t ChangesCapture::pending_bytes() const {
    return std::accumulate(communities_.begin(), communities_.end(), std::size_t{0},
                           [](std::size_t sum, const Community &community) {
                               return sum + community.bytes - static_cast<std::size_t>(community.manifest.delta_bytes);
                           });
}

void ChangesCapture::find_changes(const CapturedTables::Table &table) {
    if (communities_.empty())
        return;
    RemovedKeys removed(table.table, table.shape, names_, since_);
    RowVisitor sort = [&](std::uint32_t community, std::string_view key, std::string_view row) {
        sorter_.add(community, key, row);
    };
    read_live_rows(table.table, table.shape, names_, sort, std::ranges::min(since_));
    read_removed_keys(table.table, table.shape, names_, removed, sort);
    for (std::uint32_t i = 0; i < communities_.size(); i++)
        if (removed.read_in_full(i))
            communities_[i].give_up();
    std::optional<std::uint32_t> current;
    sorter_.drain([&](std::uint32_t i, std::string_view key, std::string_view row) {
        Community &community = communities_[i];
        if (community.read_in_full)
            return;
        if (i != current)
            community.changes.begin(table.table.id);
        current = i;
        community.changes.add({key, row});
        community.bytes += key.size() + row.size();
        if (community.bytes > community.most_bytes)
            community.give_up();
    });
}

/// Store the changes that have been found so far as deltas. Merge the deltas of the communities that have many.
void ChangesCapture::store_changes(ChunkWriter &writer) {
    for (std::uint32_t i = 0; i < communities_.size(); i++) {
        Community &community = communities_[i];
        Manifest &manifest = community.manifest;
        std::vector<std::string> deltas = community.changes.finish();
        if (!deltas.empty() && manifest.deltas.size() / Digest::size + deltas.size() > most_deltas) {
            deltas = merged(manifest, std::move(deltas));
            manifest.deltas.clear();
            manifest.delta_bytes = 0;
        }
        for (std::string &delta : deltas) {
            manifest.delta_bytes += static_cast<std::int64_t>(delta.size());
            writer.put(i, 0, std::move(delta));
        }
        community.bytes = static_cast<std::size_t>(manifest.delta_bytes);
    }
    writer.flush();
}

ChunkWriter ChangesCapture::writer() {
    return ChunkWriter::of_new_content(names_, [this](std::uint32_t community, std::uint32_t, const Digest &digest) {
        communities_[community].manifest.deltas.append(digest.view());
    });
}

std::vector<Manifest> ChangesCapture::run() {
    ChunkWriter chunks = writer();
    for (const CapturedTables::Table &table : tables_.all()) {
        find_changes(table);
        if (pending_bytes() > settings().capture_memory())
            store_changes(chunks);
    }
    return finish(chunks);
}

void ChangesCapture::find() {
    for (const CapturedTables::Table &table : tables_.all())
        find_changes(table);
}

std::vector<Manifest> ChangesCapture::store() {
    ChunkWriter chunks = writer();
    return finish(chunks);
}

std::vector<Manifest> ChangesCapture::finish(ChunkWriter &chunks) {
    store_changes(chunks);
    std::vector<Manifest> manifests;
    for (Community &community : communities_)
        if (!community.read_in_full)
            manifests.push_back(std::move(community.manifest));
    return manifests;
}

} // namespace snapback
