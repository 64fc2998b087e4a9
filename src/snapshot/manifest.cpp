#include "snapshot/manifest.hpp"

#include "core/bytes.hpp"

namespace snapback {

namespace {

constexpr int manifest_version = 1;

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

Digest Manifest::digest() const {
    std::string form;
    append_varint(form, manifest_version);
    append_text(form, id);
    append_text(form, community);
    append_little_endian(form, static_cast<std::uint64_t>(captured_at), 8);
    append_text(form, kind);
    append_optional_text(form, label);
    append_varint(form, tables.size());
    for (const ManifestTable &table : tables) {
        append_varint(form, static_cast<std::uint64_t>(table.table_id));
        form.append(table.shape.view());
        append_varint(form, static_cast<std::uint64_t>(table.rows));
        append_varint(form, static_cast<std::uint64_t>(table.bytes));
        append_text(form, table.chunks);
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

void write_heads(std::span<const Manifest> manifests) {
    std::vector<std::string> ids, communities, kinds, labels, digests, identities, names;
    std::vector<std::int32_t> identified; // 1 where the snapshot has an identity, which may be empty
    std::vector<std::int64_t> instants;
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
    }
    Query query;
    query.run(
        "INSERT INTO snapback.snapshot (id, community, identity, captured_at, kind, label, manifest_sha256, table_set,"
        " community_name)"
        " SELECT id::uuid, community, CASE identified WHEN 1 THEN identity END, at, kind, NULLIF(label, ''), digest,"
        " table_set::uuid, NULLIF(name, '')"
        " FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), "
        "pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), "
        "pg_catalog.unnest($8), pg_catalog.unnest($9), pg_catalog.unnest($10))"
        " AS s(id, community, at, kind, label, digest, table_set, identity, identified, name)",
        {Value::text_array(ids), Value::text_array(communities), Value::timestamptz_array(instants),
         Value::text_array(kinds), Value::text_array(labels), Value::bytea_array(digests),
         Value::text_array(TableSets(manifests).ids()), Value::text_array(identities), Value::integer_array(identified),
         Value::text_array(names)});
}

/// Store the entries of non-empty tables. Empty tables are only in the table set.
void write_tables(std::span<const Manifest> manifests) {
    std::vector<std::string> owners, shapes, chunks; // per table: its snapshot, shape and chunks
    std::vector<std::int32_t> table_ids;
    std::vector<std::int64_t> rows, bytes;
    for (const Manifest &manifest : manifests) {
        call([] { CHECK_FOR_INTERRUPTS(); });
        for (const ManifestTable &table : manifest.tables) {
            if (table.rows == 0)
                continue;
            owners.push_back(manifest.id);
            table_ids.push_back(table.table_id);
            shapes.emplace_back(table.shape.view());
            rows.push_back(table.rows);
            bytes.push_back(table.bytes);
            chunks.push_back(table.chunks);
        }
    }
    Query query;
    query.run(
        "INSERT INTO snapback.snapshot_table (snapshot, table_id, shape, rows, bytes, chunks)"
        " SELECT snapshot::uuid, table_id, shape, rows, bytes, chunks"
        " FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4), "
        "pg_catalog.unnest($5), pg_catalog.unnest($6)) AS t(snapshot, table_id, shape, rows, bytes, chunks)",
        {Value::text_array(owners), Value::integer_array(table_ids), Value::bytea_array(shapes),
         Value::bigint_array(rows), Value::bigint_array(bytes), Value::bytea_array(chunks)});
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
                .run_kept("SELECT FROM snapback.snapshot s JOIN snapback.snapshot_table t ON t.snapshot = s.id"
                          " WHERE s.id = $1 AND s.table_set IS NOT NULL AND NOT EXISTS (SELECT FROM "
                          "snapback.table_set_member m"
                          " WHERE m.table_set = s.table_set AND m.table_id = t.table_id AND m.shape = t.shape)",
                          {Value::uuid(snapshot)})
                .empty();
}

} // namespace

void write_manifests(std::span<const Manifest> manifests, const std::map<Digest, Shape> &shapes) {
    write_shapes(shapes);
    write_heads(manifests);
    write_tables(manifests);
}

Manifest read_manifest(const std::string &snapshot) {
    Query query;
    Rows head = query.run_kept(
        "SELECT id, community, captured_at, kind, label, manifest_sha256, identity FROM snapback.snapshot"
        " WHERE id = $1",
        {Value::uuid(snapshot)});
    if (head.empty())
        throw Error(sqlstate::unknown_snapshot, "snapshot " + snapshot + " does not exist")
            .with_hint("snapback.list_snapshots() lists the snapshots of a community.");
    Manifest manifest{head[0].text(1),
                      head[0].text(2),
                      head[0].optional_text(7),
                      head[0].timestamptz(3),
                      head[0].text(4),
                      head[0].optional_text(5),
                      {}};
    Digest expected = Digest::from_bytes(head[0].bytes(6));
    for (Row row : query.run_kept("SELECT table_id, shape, rows, bytes, chunks FROM snapback.manifest"
                                  " WHERE snapshot = $1 ORDER BY table_id",
                                  {Value::uuid(snapshot)}))
        manifest.tables.push_back(
            {row.integer(1), Digest::from_bytes(row.bytes(2)), row.bigint(3), row.bigint(4), row.bytes(5)});
    if (manifest.digest() != expected)
        throw damaged_manifest(snapshot, "It does not match the SHA-256 stored with it.");
    if (disagrees_with_table_set(snapshot))
        throw damaged_manifest(snapshot, "Its tables differ from those of its table set.");
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
