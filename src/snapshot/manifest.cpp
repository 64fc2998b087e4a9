#include "snapshot/manifest.hpp"

#include <algorithm>

#include "core/bytes.hpp"
#include "snapshot/chunk_store.hpp"

namespace snapback {

namespace {

void append_text(std::string &out, std::string_view text) {
    append_varint(out, text.size());
    out.append(text);
}

/// Append an optional text in the form of a row field: none differs from an empty text.
void append_optional_text(std::string &out, const std::optional<std::string> &text) {
    append_varint(out, text ? text->size() + 1 : 0);
    out.append(text.value_or(""));
}

} // namespace

const ManifestTable *Manifest::table(std::int32_t wanted) const {
    for (const ManifestTable &table : tables)
        if (table.table_id == wanted)
            return &table;
    return nullptr;
}

std::vector<Digest> Manifest::all_deltas() const {
    std::vector<Digest> all;
    for (std::size_t at = 0; at < deltas.size(); at += Digest::size)
        all.push_back(Digest::from_bytes(std::string_view(deltas).substr(at, Digest::size)));
    return all;
}

std::vector<std::string_view> ManifestTable::chunk_bounds() const {
    std::vector<std::string_view> all;
    if (chunk_count() > 0)
        all.emplace_back();
    ByteReader reader(bounds);
    while (!reader.at_end())
        all.push_back(reader.take(reader.varint()));
    if (all.size() != chunk_count())
        throw Error(sqlstate::data_corrupted, "table " + std::to_string(table_id) + " of a base has " +
                                                  std::to_string(chunk_count()) + " chunks but " +
                                                  std::to_string(all.size()) + " bounds");
    return all;
}

namespace {

void append_tables(std::string &form, const std::vector<ManifestTable> &tables, bool with_bounds) {
    append_varint(form, tables.size());
    for (const ManifestTable &table : tables) {
        append_varint(form, static_cast<std::uint64_t>(table.table_id));
        form.append(table.shape.view());
        append_varint(form, static_cast<std::uint64_t>(table.rows));
        append_varint(form, static_cast<std::uint64_t>(table.bytes));
        append_text(form, table.chunks);
        if (with_bounds)
            append_text(form, table.bounds);
    }
}

} // namespace

Digest base_digest(const std::vector<ManifestTable> &tables) {
    std::string form;
    append_tables(form, tables, true);
    return sha256(form);
}

Digest Manifest::digest() const {
    std::string form;
    append_varint(form, base ? 2 : 1);
    append_text(form, id);
    append_text(form, community);
    append_little_endian(form, static_cast<std::uint64_t>(captured_at), 8);
    append_text(form, kind);
    append_optional_text(form, label);
    if (base) {
        form.append(base->digest.view());
        append_text(form, deltas);
    } else {
        append_tables(form, tables, false);
    }
    return sha256(form);
}

namespace {

void write_shapes(const std::map<Digest, Shape> &shapes) {
    std::vector<std::string> digests, definitions;
    for (const auto &[digest, shape] : shapes) {
        digests.emplace_back(digest.view());
        definitions.push_back(shape.to_text());
    }
    Query query;
    query.run("INSERT INTO snapback.shape (sha256, definition) SELECT * FROM ROWS FROM (pg_catalog.unnest($1), "
              "pg_catalog.unnest($2)) ON CONFLICT DO "
              "NOTHING",
              {Value::bytea_array(digests), Value::text_array(definitions)});
}

/// Hash the tables and shapes of a manifest as described in docs/format.md.
Digest table_set_digest(const Manifest &manifest) {
    std::string form;
    for (const ManifestTable &table : manifest.tables) {
        append_big_endian(form, static_cast<std::uint32_t>(table.table_id), 4);
        form.append(table.shape.view());
    }
    return sha256(form);
}

/// Stores the table sets of manifests. Reuses stored sets that are undamaged.
class TableSets {
public:
    explicit TableSets(std::span<const Manifest> manifests) {
        std::map<Digest, const Manifest *> wanted;
        for (const Manifest &manifest : manifests) {
            digests_.push_back(table_set_digest(manifest));
            wanted.emplace(digests_.back(), &manifest);
        }
        find(wanted);
        std::erase_if(wanted, [&](const auto &set) { return ids_.contains(set.first); });
        if (!wanted.empty())
            write(wanted);
    }

    /// The set IDs, in the order of the manifests.
    std::vector<std::string> ids() const {
        std::vector<std::string> all;
        for (const Digest &digest : digests_)
            all.push_back(ids_.at(digest));
        return all;
    }

private:
    void find(const std::map<Digest, const Manifest *> &wanted) {
        std::vector<std::string> digests;
        for (const auto &[digest, manifest] : wanted)
            digests.emplace_back(digest.view());
        Query query;
        // With the row lock, a set deleted after this transaction's snapshot causes a serialization failure.
        for (Row row :
             query.run("SELECT t.sha256, t.id FROM snapback.table_set t WHERE t.sha256 = ANY ($1) AND t.sha256 = "
                       "(SELECT pg_catalog.sha256(COALESCE(pg_catalog.string_agg(pg_catalog.int4send(m.table_id) || "
                       "m.shape, '' ORDER BY m.table_id), '')) FROM snapback.table_set_member m WHERE m.table_set = "
                       "t.id) FOR KEY SHARE OF t",
                       {Value::bytea_array(digests)}))
            ids_.emplace(Digest::from_bytes(row.bytes(1)), row.text(2));
    }

    void write(const std::map<Digest, const Manifest *> &sets) {
        std::vector<std::string> digests;
        for (const auto &[digest, manifest] : sets)
            digests.emplace_back(digest.view());
        Query query;
        for (Row row :
             query.run("INSERT INTO snapback.table_set (sha256) SELECT pg_catalog.unnest($1) RETURNING sha256, id",
                       {Value::bytea_array(digests)}))
            ids_.emplace(Digest::from_bytes(row.bytes(1)), row.text(2));
        std::vector<std::string> owners, shapes; // per member: its set and shape
        std::vector<std::int32_t> table_ids;
        for (const auto &[digest, manifest] : sets)
            for (const ManifestTable &table : manifest->tables) {
                owners.push_back(ids_.at(digest));
                table_ids.push_back(table.table_id);
                shapes.emplace_back(table.shape.view());
            }
        query.run(
            "INSERT INTO snapback.table_set_member (table_set, table_id, shape)"
            " SELECT table_set::uuid, table_id, shape FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), "
            "pg_catalog.unnest($3)) AS m(table_set, table_id, shape)",
            {Value::text_array(owners), Value::integer_array(table_ids), Value::bytea_array(shapes)});
    }

    std::vector<Digest> digests_; // of each manifest
    std::map<Digest, std::string> ids_;
};

/// Store the entries of non-empty tables. Empty tables are only in the table set.
void write_tables(std::span<const Manifest> manifests) {
    std::vector<std::string> owners, shapes, chunks, bounds; // per table: its base, shape and chunks
    std::vector<std::int32_t> table_ids;
    std::vector<std::int64_t> rows, bytes;
    for (const Manifest &manifest : manifests) {
        call([] { CHECK_FOR_INTERRUPTS(); });
        for (const ManifestTable &table : manifest.tables) {
            if (table.rows == 0)
                continue;
            owners.push_back(manifest.base->id);
            table_ids.push_back(table.table_id);
            shapes.emplace_back(table.shape.view());
            rows.push_back(table.rows);
            bytes.push_back(table.bytes);
            chunks.push_back(table.chunks);
            bounds.push_back(table.bounds);
        }
    }
    Query query;
    query.run(
        "INSERT INTO snapback.base_table (base, table_id, shape, rows, bytes, chunks, bounds)"
        " SELECT base::uuid, table_id, shape, rows, bytes, chunks, bounds"
        " FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4), "
        "pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7))"
        " AS t(base, table_id, shape, rows, bytes, chunks, bounds)",
        {Value::text_array(owners), Value::integer_array(table_ids), Value::bytea_array(shapes),
         Value::bigint_array(rows), Value::bigint_array(bytes), Value::bytea_array(chunks),
         Value::bytea_array(bounds)});
}

Error damaged_manifest(const std::string &snapshot, const char *detail) {
    return Error(sqlstate::data_corrupted, "the manifest of snapshot " + snapshot + " is damaged")
        .with_detail(detail)
        .with_hint("Restore from another snapshot. snapback.verify() reports damaged snapshots.");
}

/// Whether a snapshot has a table that is not in its table set with the same shape.
bool disagrees_with_table_set(const std::string &snapshot) {
    Query query;
    return !query
                .run_kept("SELECT FROM snapback.snapshot s LEFT JOIN snapback.base b ON b.id = s.base"
                          " JOIN snapback.manifest t ON t.snapshot = s.id"
                          " WHERE s.id = $1 AND COALESCE(b.table_set, s.table_set) IS NOT NULL AND NOT EXISTS"
                          " (SELECT FROM snapback.table_set_member m WHERE m.table_set = COALESCE(b.table_set, "
                          "s.table_set) AND m.table_id = t.table_id AND m.shape = t.shape)",
                          {Value::uuid(snapshot)})
                .empty();
}

/// The deltas of a snapshot, oldest first.
std::vector<std::string> read_deltas(const Manifest &manifest) {
    ChunkReader reader(manifest.community);
    std::vector<std::string> deltas;
    for (const Digest &digest : manifest.all_deltas())
        deltas.push_back(reader.get(digest));
    return deltas;
}

/// Sort the changes of a table by key, and keep the newest of each.
void keep_newest(std::vector<Change> &changes) {
    std::ranges::stable_sort(changes, {}, &Change::key);
    auto has_same_key = [](const Change &a, const Change &b) { return a.key == b.key; };
    auto oldest_kept = std::unique(changes.rbegin(), changes.rend(), has_same_key).base();
    changes.erase(changes.begin(), oldest_kept);
}

} // namespace

void write_bases(std::span<Manifest> manifests, const std::map<Digest, Shape> &shapes) {
    if (manifests.empty())
        return;
    write_shapes(shapes);
    std::vector<std::string> ids, digests;
    std::vector<TimestampTz> instants;
    for (Manifest &manifest : manifests) {
        instants.push_back(manifest.captured_at);
        manifest.base = Base{manifest.id, base_digest(manifest.tables)};
        ids.push_back(manifest.base->id);
        digests.emplace_back(manifest.base->digest.view());
    }
    Query query;
    query.run("INSERT INTO snapback.base (id, sha256, table_set, checked_at) SELECT id::uuid, digest, table_set::uuid, "
              "at FROM ROWS FROM "
              "(pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)) AS b(id, "
              "digest, table_set, at)",
              {Value::text_array(ids), Value::bytea_array(digests), Value::text_array(TableSets(manifests).ids()),
               Value::timestamptz_array(instants)});
    write_tables(manifests);
}

void write_manifests(std::span<const Manifest> manifests) {
    std::vector<std::string> ids, communities, kinds, labels, digests, identities, names, bases, deltas, basis_ids;
    std::vector<std::int32_t> identified; // 1 where the snapshot has an identity, which may be empty
    std::vector<std::int64_t> delta_bytes;
    std::vector<TimestampTz> instants;
    for (const Manifest &manifest : manifests) {
        call([] { CHECK_FOR_INTERRUPTS(); });
        ids.push_back(manifest.id);
        communities.push_back(manifest.community);
        identities.push_back(manifest.identity.value_or(""));
        identified.push_back(manifest.identity ? 1 : 0);
        kinds.push_back(manifest.kind);
        labels.push_back(manifest.label.value_or(""));
        instants.push_back(manifest.captured_at);
        digests.emplace_back(manifest.digest().view());
        names.push_back(manifest.community_name);
        bases.push_back(manifest.base->id);
        deltas.push_back(manifest.deltas);
        delta_bytes.push_back(manifest.delta_bytes);
        basis_ids.push_back(manifest.basis.value_or(""));
    }
    Query query;
    query.run(
        "INSERT INTO snapback.snapshot (id, community, identity, captured_at, kind, label, manifest_sha256,"
        " community_name, base, deltas, delta_bytes, basis)"
        " SELECT id::uuid, community, CASE identified WHEN 1 THEN identity END, at, kind, NULLIF(label, ''), digest,"
        " NULLIF(name, ''), base::uuid, deltas, delta_bytes, NULLIF(basis, '')::uuid"
        " FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), "
        "pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), "
        "pg_catalog.unnest($8), pg_catalog.unnest($9), pg_catalog.unnest($10), pg_catalog.unnest($11), "
        "pg_catalog.unnest($12), pg_catalog.unnest($13))"
        " AS s(id, community, at, kind, label, digest, identity, identified, name, base, deltas, delta_bytes, basis)",
        {Value::text_array(ids), Value::text_array(communities), Value::timestamptz_array(instants),
         Value::text_array(kinds), Value::text_array(labels), Value::bytea_array(digests),
         Value::text_array(identities), Value::integer_array(identified), Value::text_array(names),
         Value::text_array(bases), Value::bytea_array(deltas), Value::bigint_array(delta_bytes),
         Value::text_array(basis_ids)});
}

Manifest read_manifest_of_base(const std::string &snapshot) {
    Query query;
    Rows head = query.run_kept(
        "SELECT s.id, s.community, s.captured_at, s.kind, s.label, s.manifest_sha256, s.identity, s.base, b.sha256,"
        " s.deltas, s.delta_bytes, s.basis FROM snapback.snapshot s LEFT JOIN snapback.base b ON b.id = s.base WHERE "
        "s.id = $1",
        {Value::uuid(snapshot)});
    if (head.empty())
        throw Error(sqlstate::unknown_snapshot, "snapshot " + snapshot + " does not exist")
            .with_hint("snapback.list_snapshots() lists the snapshots of a community.");
    Row row = head[0];
    Manifest manifest{row.text(1),          row.text(2), row.optional_text(7), row.timestamptz(3), row.text(4),
                      row.optional_text(5), {}};
    if (!row.is_null(8))
        manifest.base = Base{row.text(8), Digest::from_bytes(row.bytes(9))};
    manifest.deltas = row.bytes(10);
    manifest.delta_bytes = row.bigint(11);
    manifest.basis = row.optional_text(12);
    Digest expected = Digest::from_bytes(row.bytes(6));
    for (Row table : query.run_kept("SELECT table_id, shape, rows, bytes, chunks, bounds FROM snapback.manifest"
                                    " WHERE snapshot = $1 ORDER BY table_id",
                                    {Value::uuid(snapshot)}))
        manifest.tables.push_back({table.integer(1), Digest::from_bytes(table.bytes(2)), table.bigint(3),
                                   table.bigint(4), table.bytes(5), table.bytes(6)});
    if (manifest.digest() != expected)
        throw damaged_manifest(snapshot, "It does not match the SHA-256 stored with it.");
    if (manifest.base && base_digest(manifest.tables) != manifest.base->digest)
        throw damaged_manifest(snapshot, "Its base does not match the SHA-256 stored with it.");
    if (disagrees_with_table_set(snapshot))
        throw damaged_manifest(snapshot, "Its tables differ from those of its table set.");
    return manifest;
}

std::map<std::int32_t, TableChanges> newest_changes(const Manifest &manifest, std::vector<std::string> newer) {
    std::vector<std::string> all = read_deltas(manifest);
    std::ranges::move(newer, std::back_inserter(all));
    auto deltas = std::make_shared<const std::vector<std::string>>(std::move(all));
    std::map<std::int32_t, TableChanges> by_table;
    for (const std::string &delta : *deltas)
        for_each_change(delta,
                        [&](std::int32_t table, const Change &change) { by_table[table].changes.push_back(change); });
    for (auto &[table, changes] : by_table) {
        keep_newest(changes.changes);
        changes.deltas = deltas;
    }
    return by_table;
}

void read_changes(Manifest &manifest) {
    if (manifest.deltas.empty())
        return;
    std::map<std::int32_t, TableChanges> by_table = newest_changes(manifest);
    for (ManifestTable &table : manifest.tables)
        if (auto found = by_table.extract(table.table_id))
            table.changes = std::make_shared<const TableChanges>(std::move(found.mapped()));
    if (!by_table.empty())
        throw damaged_manifest(manifest.id, "It has changes of tables that are not in its base.");
}

Manifest read_manifest(const std::string &snapshot) {
    Manifest manifest = read_manifest_of_base(snapshot);
    read_changes(manifest);
    return manifest;
}

Shape read_shape(const Digest &digest) {
    Query query;
    Rows rows =
        query.run_kept("SELECT definition FROM snapback.shape WHERE sha256 = $1", {Value::bytea(digest.view())});
    if (rows.empty())
        throw Error(sqlstate::data_corrupted, "table description " + digest.hex() + " is missing");
    std::string text = rows[0].text(1);
    if (sha256(text) != digest)
        throw Error(sqlstate::data_corrupted, "table description " + digest.hex() + " is damaged");
    return Shape::from_text(text);
}

} // namespace snapback
