// Erases single rows from every snapshot of a community, so that no restore can restore them.
#include <set>

#include "catalog/community_path.hpp"
#include "catalog/row_keys.hpp"
#include "core/chunk.hpp"
#include "postgres/exec/as_owner.hpp"
#include "postgres/spi/arguments.hpp"
#include "postgres/spi/free_prefix.hpp"
#include "postgres/spi/tuple_store.hpp"
#include "snapshot/chunk_store.hpp"
#include "snapshot/manifest.hpp"
#include "snapshot/row_decoder.hpp"

namespace snapback {

namespace {

/// Rewrites the chunks and manifests of one community that contain rows with these keys. The caller holds the store
/// lock.
class Erasure {
public:
    Erasure(std::string community, RelationShape live, std::string keys)
        : community_(std::move(community)), live_(std::move(live)), keys_(std::move(keys)), reader_(community_),
          writer_(std::span<const std::string>(&community_, 1), [](std::uint32_t, std::uint32_t, const Digest &) {}) {}

    /// Process the snapshots of the community; return the number of erased rows, counted in each snapshot.
    std::int64_t run(std::int32_t table_id) {
        Query query;
        std::int64_t erased = 0;
        for (Row row : query.run("SELECT s.id FROM snapback.snapshot s JOIN snapback.snapshot_table t ON t.snapshot = "
                                 "s.id WHERE s.community = $1 AND t.table_id = $2",
                                 {Value::text(community_), Value::integer(table_id)}))
            erased += erase(read_manifest(row.text(1)), table_id);
        writer_.flush();
        erase_from_record(table_id);
        return erased;
    }

private:
    /// The replacement of a chunk.
    struct Replacement {
        std::string digest; // empty if no row remains
        std::int64_t rows = 0;
        std::int64_t bytes = 0; // the reduction in size
    };

    std::int64_t erase(Manifest manifest, std::int32_t table_id) {
        for (ManifestTable &table : manifest.tables)
            if (table.table_id == table_id) {
                std::int64_t before = table.rows;
                rewrite(table);
                if (table.rows < before)
                    store(manifest, table);
                return before - table.rows;
            }
        return 0;
    }

    /// Delete the keys of these rows where restores have recorded them for an undo.
    void erase_from_record(std::int32_t table_id) {
        Query query;
        TupleStore erased("erased_keys", one_column("key", JSONBOID));
        erased.show_to(query);
        {
            AsOwner owner(live_.owner);
            Value keys = Value::text(keys_);
            erased.fill(query, "SELECT " + key_as_text(live_, "k") + " FROM " + keys_as_rows(live_) + " k",
                        std::span<const Value>(&keys, 1));
        }
        query.run("DELETE FROM snapback.restore_row r USING snapback.restore_run u"
                  " WHERE u.id = r.restore AND u.community = $1 AND r.table_id = $2"
                  "   AND r.key IN (SELECT s.key FROM erased_keys s)",
                  {Value::text(community_), Value::integer(table_id)});
        erased.hide();
    }

    void rewrite(ManifestTable &table) {
        RowDecoder decoder(read_shape(table.shape), live_);
        for (const KeyColumn &part : live_.key)
            if (!decoder.mapped(part.column))
                throw Error(sqlstate::schema_changed, "the key of " + live_.name + " has changed since a snapshot")
                    .with_hint("snapback.forget() deletes all stored data of a community.");
        std::string chunks;
        for (std::size_t i = 0; i < table.chunk_count(); i++) {
            const Replacement &replacement = replace(table.shape, table.chunk(i), decoder);
            chunks += replacement.digest;
            table.rows -= replacement.rows;
            table.bytes -= replacement.bytes;
        }
        table.chunks = std::move(chunks);
    }

    /// Snapshots share chunks; each chunk is rewritten once.
    const Replacement &replace(const Digest &shape, const Digest &digest, RowDecoder &decoder) {
        auto [known, is_new] = replacements_.try_emplace({shape.hex(), digest.hex()});
        if (is_new)
            known->second = reduce(digest, decoder);
        return known->second;
    }

    Replacement reduce(const Digest &digest, RowDecoder &decoder) {
        std::string content = reader_.get(digest);
        std::set<std::size_t> places = places_of_keys(content, decoder);
        if (places.empty())
            return {std::string(digest.view()), 0, 0};
        ReducedChunk reduced = without_rows(content, [&](std::size_t row) { return places.contains(row); });
        Replacement replacement{"", reduced.removed,
                                static_cast<std::int64_t>(content.size() - reduced.content.size())};
        if (!reduced.content.empty()) {
            replacement.digest = sha256(reduced.content).view();
            writer_.put(0, 0, std::move(reduced.content));
        }
        return replacement;
    }

    /// The rows of a chunk with one of the keys, counted from 0.
    std::set<std::size_t> places_of_keys(const std::string &content, RowDecoder &decoder) {
        Query query;
        TupleStore rows("rows_of_chunk", row_type(live_));
        decode_chunk(content, decoder, live_.owner, rows);
        rows.show_to(query);
        AsOwner owner(live_.owner);
        std::string place = quote_name(free_prefix(live_.relation) + "place");
        std::set<std::size_t> places;
        for (Row row : query.run("SELECT r." + place + " FROM (SELECT pg_catalog.row_number() OVER () AS " + place +
                                     ", s.* FROM rows_of_chunk s) r WHERE EXISTS (SELECT FROM " + keys_as_rows(live_) +
                                     " k WHERE " + same_key(live_, "k", "r") + ")",
                                 {Value::text(keys_)}))
            places.insert(static_cast<std::size_t>(row.bigint(1)) - 1);
        return places;
    }

    static void store(const Manifest &manifest, const ManifestTable &table) {
        Query query;
        query.run("UPDATE snapback.snapshot_table SET rows = $3, bytes = $4, chunks = $5"
                  " WHERE snapshot = $1 AND table_id = $2",
                  {Value::uuid(manifest.id), Value::integer(table.table_id), Value::bigint(table.rows),
                   Value::bigint(table.bytes), Value::bytea(table.chunks)});
        query.run("UPDATE snapback.snapshot SET manifest_sha256 = $2 WHERE id = $1",
                  {Value::uuid(manifest.id), Value::bytea(manifest.digest().view())});
    }

    std::string community_;
    RelationShape live_;
    std::string keys_;
    ChunkReader reader_;
    ChunkWriter writer_;
    std::map<std::pair<std::string, std::string>, Replacement> replacements_; // by shape and chunk
};

} // namespace

SNAPBACK_FUNCTION(snapback_erase) {
    std::string community = text_argument(fcinfo, 0);
    std::int32_t id = PG_GETARG_INT32(1);
    std::string keys = text_argument(fcinfo, 2);
    RelationShape live = relation_shape(relation_of(protected_table(id), community));
    if (columns_of_keys(keys) != key_columns(live))
        throw Error(sqlstate::invalid_parameter, "these are no keys of " + live.name)
            .with_hint("Give an array of objects that have all columns of its primary key, and no other.");
    PG_RETURN_INT64(Erasure(std::move(community), std::move(live), std::move(keys)).run(id));
}

} // namespace snapback
