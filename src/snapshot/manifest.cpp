#include "snapshot/manifest.hpp"

#include "core/bytes.hpp"

namespace snapback {

namespace {

constexpr int manifest_version = 1;

void append_text(std::string &out, std::string_view text) {
    append_varint(out, text.size());
    out.append(text);
}

/// Append a text as a row keeps a field: none differs from an empty one.
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

void write_manifests(std::span<const Manifest> manifests, const std::map<Digest, Shape> &shapes) {
    std::vector<std::string> shape_digests, definitions;
    for (const auto &[digest, shape] : shapes) {
        shape_digests.emplace_back(digest.view());
        definitions.push_back(shape.to_text());
    }
    std::vector<std::string> ids, communities, kinds, labels, digests;
    std::vector<std::int64_t> instants;
    std::vector<std::string> owners, table_shapes, chunks; // per table: its snapshot, shape and chunks
    std::vector<std::int32_t> table_ids;
    std::vector<std::int64_t> rows, bytes;
    for (const Manifest &manifest : manifests) {
        call([] { CHECK_FOR_INTERRUPTS(); });
        ids.push_back(manifest.id);
        communities.push_back(manifest.community);
        kinds.push_back(manifest.kind);
        labels.push_back(manifest.label.value_or(""));
        instants.push_back(manifest.captured_at);
        digests.emplace_back(manifest.digest().view());
        for (const ManifestTable &table : manifest.tables) {
            owners.push_back(manifest.id);
            table_ids.push_back(table.table_id);
            table_shapes.emplace_back(table.shape.view());
            rows.push_back(table.rows);
            bytes.push_back(table.bytes);
            chunks.push_back(table.chunks);
        }
    }
    Query query;
    query.run("INSERT INTO snapback.shape (sha256, definition) SELECT * FROM ROWS FROM (pg_catalog.unnest($1), "
              "pg_catalog.unnest($2)) ON CONFLICT DO "
              "NOTHING",
              {Value::bytea_array(shape_digests), Value::text_array(definitions)});
    query.run("INSERT INTO snapback.snapshot (id, community, captured_at, kind, label, manifest_sha256)"
              " SELECT id::uuid, community, at, kind, NULLIF(label, ''), digest"
              " FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), "
              "pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6))"
              " AS s(id, community, at, kind, label, digest)",
              {Value::text_array(ids), Value::text_array(communities), Value::timestamptz_array(instants),
               Value::text_array(kinds), Value::text_array(labels), Value::bytea_array(digests)});
    query.run(
        "INSERT INTO snapback.snapshot_table (snapshot, table_id, shape, rows, bytes, chunks)"
        " SELECT snapshot::uuid, table_id, shape, rows, bytes, chunks"
        " FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4), "
        "pg_catalog.unnest($5), pg_catalog.unnest($6)) AS t(snapshot, table_id, shape, rows, bytes, chunks)",
        {Value::text_array(owners), Value::integer_array(table_ids), Value::bytea_array(table_shapes),
         Value::bigint_array(rows), Value::bigint_array(bytes), Value::bytea_array(chunks)});
}

Manifest read_manifest(const std::string &snapshot) {
    Query query;
    Rows head = query.run("SELECT id, community, captured_at, kind, label, manifest_sha256 FROM snapback.snapshot"
                          " WHERE id = $1",
                          {Value::uuid(snapshot)});
    if (head.empty())
        throw Error(sqlstate::unknown_snapshot, "snapshot " + snapshot + " does not exist")
            .with_hint("snapback.list_snapshots() lists the snapshots of a community.");
    Manifest manifest{head[0].text(1), head[0].text(2),          head[0].timestamptz(3),
                      head[0].text(4), head[0].optional_text(5), {}};
    Digest expected = Digest::from_bytes(head[0].bytes(6));
    for (Row row : query.run("SELECT table_id, shape, rows, bytes, chunks FROM snapback.snapshot_table"
                             " WHERE snapshot = $1 ORDER BY table_id",
                             {Value::uuid(snapshot)}))
        manifest.tables.push_back(
            {row.integer(1), Digest::from_bytes(row.bytes(2)), row.bigint(3), row.bigint(4), row.bytes(5)});
    if (manifest.digest() != expected)
        throw Error(sqlstate::data_corrupted, "the manifest of snapshot " + snapshot + " is damaged")
            .with_detail("It does not have the SHA-256 that was stored with it.")
            .with_hint("Restore from another snapshot; snapback.verify() tells which are whole.");
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
