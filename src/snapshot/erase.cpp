// Erases single rows from every snapshot of a community, so that no restore can restore them.
#include <algorithm>
#include <set>

#include "catalog/community_path.hpp"
#include "catalog/row_keys.hpp"
#include "core/chunk.hpp"
#include "postgres/exec/as_owner.hpp"
#include "postgres/spi/arguments.hpp"
#include "postgres/spi/free_prefix.hpp"
#include "postgres/spi/tuple_store.hpp"
#include "snapshot/chunk_store.hpp"
#include "snapshot/live_rows.hpp"
#include "snapshot/row_decoder.hpp"
#include "snapshot/row_encoder.hpp"
#include "snapshot/table_contents.hpp"

namespace snapback {

namespace {

/// Erases rows of these keys from the chunks, deltas and manifests of one community. The caller holds the store
/// lock.
class Erasure {
public:
    Erasure(std::string community, RelationShape live, std::string keys)
        : community_(std::move(community)), live_(std::move(live)), keys_(std::move(keys)), reader_(community_),
          writer_(std::span<const std::string>(&community_, 1), [](std::uint32_t, std::uint32_t, const Digest &) {}) {}

    /// Process the snapshots of the community; return the number of erased rows, counted in each snapshot.
    std::int64_t run(std::int32_t table_id) {
        table_id_ = table_id;
        std::vector<Manifest> manifests;
        Query query;
        for (Row row :
             query.run("SELECT s.id FROM snapback.snapshot s WHERE s.community = $1", {Value::text(community_)}))
            manifests.push_back(read_manifest(row.text(1)));
        std::erase_if(manifests, [&](const Manifest &manifest) { return !manifest.table(table_id); });
        note_given_keys();
        for (const Manifest &manifest : manifests)
            find_rows(manifest);
        std::int64_t erased = 0;
        for (Manifest &manifest : manifests)
            erased += erase(manifest);
        writer_.flush();
        erase_from_record(table_id);
        return erased;
    }

private:
    /// The replacement of a chunk or delta.
    struct Replacement {
        std::string digest; // empty if nothing remains
        std::int64_t rows = 0;
        std::int64_t bytes = 0; // the reduction in size
    };

    /// Remember the keys in sortable form. A removed row may be stored only by the key of its removal.
    void note_given_keys() {
        std::string columns;
        for (const KeyColumn &part : live_.key)
            columns += ", k." + quote_name(live_.columns[part.column].name);
        AsOwner owner(live_.owner);
        Query query;
        RowEncoder encoder(only_key(live_), 1);
        Value keys = Value::text(keys_);
        query.stream("SELECT NULL" + columns + " FROM " + keys_as_rows(live_) + " k", std::span<const Value>(&keys, 1),
                     [&](TupleTableSlot *slot) {
                         call([&] { slot_getallattrs(slot); });
                         std::span<const bool> nulls(slot->tts_isnull + 1, live_.key.size());
                         if (std::ranges::find(nulls, true) != nulls.end())
                             return; // no row has such a key
                         encoder.encode(slot);
                         erased_.insert(std::string(encoder.key()));
                     });
    }

    /// Find the rows to erase in the base and in each delta of a snapshot, and write what remains of the chunks.
    void find_rows(const Manifest &manifest) {
        const ManifestTable &table = *manifest.table(table_id_);
        Shape shape = read_shape(table.shape);
        RowDecoder decoder(shape, live_);
        for (const KeyColumn &part : live_.key)
            if (!decoder.mapped(part.column))
                throw Error(sqlstate::schema_changed, "the key of " + live_.name + " has changed since a snapshot")
                    .with_hint("snapback.forget() deletes all stored data of a community.");
        for (std::size_t i = 0; i < table.chunk_count(); i++)
            if (auto [known, is_new] = chunks_.try_emplace({table.shape, table.chunk(i)}); is_new)
                known->second = reduce(table.chunk(i), shape, decoder);
        for (const Digest &digest : manifest.all_deltas())
            if (deltas_.emplace(digest, std::nullopt).second)
                find_changes(digest, shape, decoder);
    }

    /// Remove the rows from a snapshot; return how many it had.
    std::int64_t erase(Manifest &manifest) {
        ManifestTable &table = *std::ranges::find(manifest.tables, table_id_, &ManifestTable::table_id);
        std::int64_t had = count(table);
        remove_from_base(table);
        replace_deltas(manifest);
        if (manifest.base)
            manifest.base->digest = base_digest(manifest.tables);
        store(manifest, table);
        return had;
    }

    /// How many of the rows a snapshot has.
    std::int64_t count(const ManifestTable &table) {
        Shape shape = read_shape(table.shape);
        TableContents contents(table, shape, reader_);
        KeyReader keys(shape);
        std::int64_t rows = 0;
        for (std::size_t i = 0; i < contents.size(); i++) {
            if (std::optional<Digest> chunk = contents.digest(i))
                rows += chunks_.at({table.shape, *chunk}).rows;
            else
                for_each_row(contents.content(i),
                             [&](std::string_view row) { rows += erased_.contains(keys.key_of(row)); });
        }
        return rows;
    }

    void remove_from_base(ManifestTable &table) {
        std::vector<std::string_view> bounds =
            table.bounds.empty() ? std::vector<std::string_view>(table.chunk_count()) : table.chunk_bounds();
        bool has_bounds = !table.bounds.empty();
        std::string chunks, remaining_bounds;
        for (std::size_t i = 0; i < table.chunk_count(); i++) {
            const Replacement &replacement = chunks_.at({table.shape, table.chunk(i)});
            table.rows -= replacement.rows;
            table.bytes -= replacement.bytes;
            if (replacement.digest.empty())
                continue;
            if (has_bounds && !chunks.empty()) {
                append_varint(remaining_bounds, bounds[i].size());
                remaining_bounds += bounds[i];
            }
            chunks += replacement.digest;
        }
        table.chunks = std::move(chunks);
        table.bounds = std::move(remaining_bounds);
    }

    void replace_deltas(Manifest &manifest) {
        std::string deltas;
        for (const Digest &digest : manifest.all_deltas()) {
            std::optional<Replacement> &replacement = deltas_.at(digest);
            if (!replacement)
                replacement = reduce_delta(digest);
            deltas += replacement->digest;
            manifest.delta_bytes -= replacement->bytes;
        }
        manifest.deltas = std::move(deltas);
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

    Replacement reduce(const Digest &digest, const Shape &shape, RowDecoder &decoder) {
        std::string content = reader_.get(digest);
        std::set<std::size_t> places = places_of_keys(content, decoder);
        if (places.empty())
            return {std::string(digest.view()), 0, 0};
        note_keys(content, places, shape);
        ReducedChunk reduced = without_rows(content, [&](std::size_t row) { return places.contains(row); });
        Replacement replacement{"", reduced.removed,
                                static_cast<std::int64_t>(content.size() - reduced.content.size())};
        if (!reduced.content.empty()) {
            replacement.digest = sha256(reduced.content).view();
            writer_.put(0, 0, std::move(reduced.content));
        }
        return replacement;
    }

    /// Find the rows to erase among the changes of a delta.
    void find_changes(const Digest &digest, const Shape &shape, RowDecoder &decoder) {
        std::string rows;
        std::uint32_t count = 0;
        std::string delta = reader_.get(digest);
        for_each_change(delta, [&](std::int32_t table, const Change &change) {
            if (table != table_id_ || change.row.empty())
                return;
            append_varint(rows, change.row.size());
            append_slices(rows, change.row);
            count++;
        });
        std::string content = chunk_of(count, rows);
        note_keys(content, places_of_keys(content, decoder), shape);
    }

    /// Remember the keys of rows, in sortable form.
    void note_keys(const std::string &content, const std::set<std::size_t> &places, const Shape &shape) {
        KeyReader keys(shape);
        std::size_t row_number = 0;
        for_each_row(content, [&](std::string_view row) {
            if (places.contains(row_number++))
                erased_.insert(keys.key_of(row));
        });
    }

    /// A delta without the changes of erased rows: also without their removal, which names the key.
    Replacement reduce_delta(const Digest &digest) {
        std::string content = reader_.get(digest);
        DeltaWriter writer;
        std::optional<std::int32_t> current;
        for_each_change(content, [&](std::int32_t table, const Change &change) {
            if (table == table_id_ && erased_.contains(std::string(change.key)))
                return;
            if (table != current)
                writer.begin(table);
            current = table;
            writer.add(change);
        });
        std::vector<std::string> reduced = writer.finish();
        Replacement replacement{"", 0, static_cast<std::int64_t>(content.size())};
        for (std::string &delta : reduced) {
            replacement.digest += sha256(delta).view();
            replacement.bytes -= static_cast<std::int64_t>(delta.size());
            writer_.put(0, 0, std::move(delta));
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
        if (manifest.base) {
            query.run("UPDATE snapback.base_table SET rows = $3, bytes = $4, chunks = $5, bounds = $6"
                      " WHERE base = $1 AND table_id = $2",
                      {Value::uuid(manifest.base->id), Value::integer(table.table_id), Value::bigint(table.rows),
                       Value::bigint(table.bytes), Value::bytea(table.chunks), Value::bytea(table.bounds)});
            query.run("UPDATE snapback.base SET sha256 = $2 WHERE id = $1",
                      {Value::uuid(manifest.base->id), Value::bytea(manifest.base->digest.view())});
        } else {
            query.run("UPDATE snapback.snapshot_table SET rows = $3, bytes = $4, chunks = $5"
                      " WHERE snapshot = $1 AND table_id = $2",
                      {Value::uuid(manifest.id), Value::integer(table.table_id), Value::bigint(table.rows),
                       Value::bigint(table.bytes), Value::bytea(table.chunks)});
        }
        // Without the rows, the snapshot is not what its basis tells: later captures and restores read in full.
        query.run("UPDATE snapback.snapshot SET manifest_sha256 = $2, deltas = $3, delta_bytes = $4, basis = NULL"
                  " WHERE id = $1",
                  {Value::uuid(manifest.id), Value::bytea(manifest.digest().view()), Value::bytea(manifest.deltas),
                   Value::bigint(manifest.delta_bytes)});
    }

    std::string community_;
    RelationShape live_;
    std::string keys_;
    std::int32_t table_id_ = 0;
    ChunkReader reader_;
    ChunkWriter writer_;
    std::map<std::pair<Digest, Digest>, Replacement> chunks_; // by shape and chunk
    std::map<Digest, std::optional<Replacement>> deltas_;     // nothing: not rewritten yet
    std::set<std::string> erased_;                            // keys in sortable form
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
