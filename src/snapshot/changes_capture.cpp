// Capture of changes: rows written and keys removed since the previous snapshot → sorted by community and key → deltas.
#include "snapshot/changes_capture.hpp"

#include <algorithm>
#include <numeric>

#include "postgres/spi/spill_file.hpp"
#include "settings/settings.hpp"
#include "snapshot/basis.hpp"

namespace snapback {

namespace {

/// The deltas of a snapshot are merged into one when there would be more.
constexpr std::size_t most_deltas = 14;

/// Whether the changes of all tables can be found since a basis.
bool holds(const Basis &basis, const CapturedTables &tables) {
    if (basis.fingerprints.size() != tables.all().size())
        return false;
    return std::ranges::all_of(tables.all(), [&](const CapturedTables::Table &table) {
        auto then = basis.fingerprints.find(table.table.id);
        return then != basis.fingerprints.end() && !basis_fault(basis.taken, then->second, table.fingerprint);
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

std::int64_t total_size(const std::vector<std::string> &deltas) {
    return std::accumulate(
        deltas.begin(), deltas.end(), std::int64_t{0},
        [](std::int64_t sum, const std::string &delta) { return sum + static_cast<std::int64_t>(delta.size()); });
}

/// Merge the deltas of a snapshot, so that each row has one change.
std::vector<std::string> merged(const Manifest &manifest) {
    DeltaWriter writer;
    for (const auto &[table, changes] : newest_changes(manifest)) {
        writer.begin(table);
        for (const Change &change : changes.changes)
            writer.add(change);
    }
    return writer.finish();
}

} // namespace

std::map<std::string, Basis> read_bases(const std::vector<std::string> &ids) {
    std::map<std::string, Basis> bases;
    Query query;
    for (Row row :
         query.run("SELECT b.id, b.taken, t.id, t.fingerprint FROM snapback.basis b CROSS JOIN LATERAL ROWS FROM "
                   "(pg_catalog.unnest(b.table_ids), pg_catalog.unnest(b.fingerprints)) AS t(id, fingerprint)"
                   " WHERE b.id = ANY ($1)",
                   {Value::uuid_array(ids)})) {
        Basis &basis = bases[row.text(1)];
        basis.taken = row.text(2);
        basis.fingerprints.emplace(row.integer(3), row.text(4));
    }
    return bases;
}

std::optional<std::uint64_t> Basis::since(const ProtectedTable &table, Oid relation) const {
    auto then = fingerprints.find(table.id);
    if (then == fingerprints.end() || basis_fault(taken, then->second, table_fingerprint(table, relation)))
        return std::nullopt;
    return oldest_unseen(taken);
}

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
            since.emplace(id, oldest_unseen(basis.taken));
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

/// Store the changes that have been found so far as deltas.
void ChangesCapture::store_changes(ChunkWriter &writer) {
    for (std::uint32_t i = 0; i < communities_.size(); i++) {
        Community &community = communities_[i];
        for (std::string &delta : community.changes.finish()) {
            community.manifest.delta_bytes += static_cast<std::int64_t>(delta.size());
            writer.put(i, 0, std::move(delta));
        }
        community.bytes = static_cast<std::size_t>(community.manifest.delta_bytes);
    }
    writer.flush();
}

/// Merge the deltas of the communities that have many.
void ChangesCapture::merge_deltas(ChunkWriter &writer) {
    for (std::uint32_t i = 0; i < communities_.size(); i++) {
        Manifest &manifest = communities_[i].manifest;
        if (communities_[i].read_in_full || manifest.deltas.size() / Digest::size <= most_deltas)
            continue;
        std::vector<std::string> deltas = merged(manifest);
        manifest.deltas.clear();
        manifest.delta_bytes = total_size(deltas);
        for (std::string &delta : deltas)
            writer.put(i, 0, std::move(delta));
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
        if (!communities_.empty())
            find_changes(table);
        if (pending_bytes() > settings().capture_memory())
            store_changes(chunks);
    }
    return finish(chunks);
}

void ChangesCapture::find() {
    for (const CapturedTables::Table &table : tables_.all())
        if (!communities_.empty())
            find_changes(table);
}

std::vector<Manifest> ChangesCapture::store() {
    ChunkWriter chunks = writer();
    return finish(chunks);
}

std::vector<Manifest> ChangesCapture::finish(ChunkWriter &chunks) {
    store_changes(chunks);
    merge_deltas(chunks);
    std::vector<Manifest> manifests;
    for (Community &community : communities_)
        if (!community.read_in_full)
            manifests.push_back(std::move(community.manifest));
    return manifests;
}

} // namespace snapback
