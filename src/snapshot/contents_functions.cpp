// SQL functions for snapshots: rows as jsonb, the number of rows that satisfy a filter, retention, the store lock.
#include "catalog/community_path.hpp"
#include "postgres/exec/as_owner.hpp"
#include "postgres/spi/arguments.hpp"
#include "postgres/spi/result_set.hpp"
#include "postgres/spi/row_as_json.hpp"
#include "postgres/spi/tuple_store.hpp"
#include "settings/settings.hpp"
#include "snapshot/chunk_store.hpp"
#include "snapshot/row_decoder.hpp"
#include "snapshot/table_contents.hpp"

namespace snapback {

namespace {

/// One table of a snapshot, decoded into the current shape of its live table.
class StoredTable {
public:
    StoredTable(Query &query, const std::string &snapshot, std::int32_t table_id)
        : manifest_(read_manifest(snapshot)),
          live_(relation_shape(relation_of(protected_table(table_id), manifest_.community))),
          rows_("stored", row_type(live_)) {
        hold_store();
        if (const ManifestTable *stored = manifest_.table(table_id))
            load(*stored);
        rows_.show_to(query);
    }
    const RelationShape &live() const { return live_; }

private:
    void load(const ManifestTable &stored) {
        Shape shape = read_shape(stored.shape);
        RowDecoder decoder(shape, live_);
        ChunkReader chunks(manifest_.community);
        TableContents contents(stored, shape, chunks);
        for (std::size_t i = 0; i < contents.size(); i++)
            decode_chunk(contents.content(i), decoder, live_.owner, rows_);
    }

    Manifest manifest_;
    RelationShape live_;
    TupleStore rows_;
};

} // namespace

SNAPBACK_FUNCTION(snapback_stored_rows) {
    ResultSet result(fcinfo);
    Query query;
    StoredTable table(query, uuid_argument(fcinfo, 0), PG_GETARG_INT32(1));
    std::vector<RowAsJson::Column> columns;
    for (const LiveColumn &column : table.live().columns)
        columns.push_back({column.name, column.type});
    RowAsJson row(std::move(columns));
    AsOwner owner(table.live().owner);
    query.stream("SELECT s.* FROM stored s", {}, [&](TupleTableSlot *slot) {
        call([&] { slot_getallattrs(slot); });
        result.add({row.of(slot->tts_values, slot->tts_isnull)});
        row.forget();
    });
    PG_RETURN_NULL();
}

SNAPBACK_FUNCTION(snapback_covered_rows) {
    Query query;
    StoredTable table(query, uuid_argument(fcinfo, 0), PG_GETARG_INT32(1));
    AsOwner owner(table.live().owner);
    Rows rows = query.run("SELECT pg_catalog.count(*) FROM stored WHERE (" + text_argument(fcinfo, 2) + ")");
    PG_RETURN_INT64(rows[0].bigint(1));
}

SNAPBACK_FUNCTION(snapback_retention) {
    auto *interval = static_cast<Interval *>(call([] { return palloc0(sizeof(Interval)); }));
    interval->time = settings().retention_seconds * std::int64_t{1'000'000};
    PG_RETURN_INTERVAL_P(interval);
}

SNAPBACK_FUNCTION(snapback_lock_store) {
    PG_RETURN_BOOL(take_store(PG_GETARG_BOOL(0)));
}

} // namespace snapback
