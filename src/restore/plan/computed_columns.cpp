#include "restore/plan/computed_columns.hpp"

#include "postgres/exec/as_owner.hpp"
#include "snapshot/row_decoder.hpp"

namespace snapback {

std::vector<ComputedColumn> computed_columns(Query &query, const RelationShape &live) {
    if (live.stored.generated.empty())
        return {};
    AsOwner owner(live.owner); // expressions depend on the settings under which they are read
    std::vector<ComputedColumn> computed;
    for (Row row : query.run_kept("SELECT a.attname::text, a.atttypid, a.atttypmod, a.attcollation,"
                                  "       pg_catalog.pg_get_expr(d.adbin, d.adrelid)"
                                  " FROM pg_catalog.pg_attribute a"
                                  " JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
                                  " WHERE a.attrelid = $1 AND a.attgenerated = 's' AND NOT a.attisdropped"
                                  // A partition may have foreign keys of its own.
                                  "   AND ($2 OR a.attnum IN ("
                                  "     SELECT pg_catalog.unnest(f.conkey) FROM pg_catalog.pg_constraint f"
                                  "     WHERE f.contype = 'f' AND f.conrelid = $1"
                                  "     UNION ALL SELECT pg_catalog.unnest(f.confkey) FROM pg_catalog.pg_constraint f"
                                  "     WHERE f.contype = 'f' AND f.confrelid = $1))"
                                  " ORDER BY a.attnum",
                                  {Value::regclass(live.relation), Value::boolean(live.partitioned)}))
        computed.push_back({row.text(1), row.oid(2), row.integer(3), row.oid(4), row.text(5)});
    return computed;
}

TupleDesc row_type(const RelationShape &live, const std::vector<ComputedColumn> &computed) {
    TupleDesc plain = row_type(live);
    if (computed.empty())
        return plain;
    return call([&] {
        TupleDesc shape = CreateTemplateTupleDesc(plain->natts + static_cast<int>(computed.size()));
        for (int i = 1; i <= plain->natts; i++)
            TupleDescCopyEntry(shape, static_cast<AttrNumber>(i), plain, static_cast<AttrNumber>(i));
        auto number = static_cast<AttrNumber>(plain->natts);
        for (const ComputedColumn &column : computed) {
            TupleDescInitEntry(shape, ++number, column.name.c_str(), column.type, column.type_modifier, 0);
            TupleDescInitEntryCollation(shape, number, column.collation);
        }
        return shape;
    });
}

} // namespace snapback
