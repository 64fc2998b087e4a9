#include "catalog/relation_shape.hpp"

#include <algorithm>

#include "catalog/enum_columns.hpp"
#include "catalog/key_index.hpp"
#include "postgres/exec/setting_scope.hpp"

extern "C" {
#include "catalog/pg_class.h"
#include "catalog/pg_operator.h"
#include "mb/pg_wchar.h"
#include "storage/lmgr.h"
}

namespace snapback {

namespace {

RelationShape read_relation(Query &query, Oid relation) {
    Rows rows =
        query.run_kept("SELECT relowner, relkind::text, relpersistence::text, n.nspname::text, c.relname::text,"
                       "       CASE WHEN relispartition THEN pg_catalog.pg_partition_root(c.oid)::oid ELSE 0 END"
                       " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                       " WHERE c.oid = $1",
                       {Value::regclass(relation)});
    if (rows.empty())
        qualified_name(relation); // raises an error
    Row row = rows[0];
    RelationShape shape;
    shape.relation = relation;
    shape.owner = row.oid(1);
    shape.partitioned = row.text(2) == "p";
    shape.name = qualified_name(relation);
    if ((row.text(2) != "r" && !shape.partitioned) || row.text(3) != "p")
        throw Error(sqlstate::feature_not_supported, shape.name + " is not a permanent table")
            .with_hint("Only permanent tables and partitioned tables can be captured.");
    if (Oid root = row.oid(6); OidIsValid(root))
        throw Error(sqlstate::object_not_in_state, shape.name + " has become a partition")
            .with_hint("Call snapback.protect('" + qualified_name(root) +
                       "', ...) for the partitioned table, which replaces it.");
    shape.stored.schema = row.text(4);
    shape.stored.table = row.text(5);
    shape.stored.encoding = GetDatabaseEncodingName();
    return shape;
}

void read_columns(Query &query, RelationShape &shape) {
    for (Row row : query.run_kept("SELECT a.attname::text, a.attnum::int, a.atttypid, a.atttypmod, a.attcollation,"
                                  "       pg_catalog.format_type(a.atttypid, a.atttypmod), a.attidentity = 'a',"
                                  "       a.attgenerated <> ''"
                                  " FROM pg_catalog.pg_attribute a"
                                  " WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped"
                                  " ORDER BY a.attnum",
                                  {Value::regclass(shape.relation)})) {
        if (row.boolean(8)) {
            shape.stored.generated.push_back(row.text(1));
            continue;
        }
        Oid type = row.oid(3);
        FieldForm form = form_of(type);
        shape.columns.push_back({row.text(1), static_cast<AttrNumber>(row.integer(2)), type, row.integer(4), row.oid(5),
                                 form, row.boolean(7)});
        shape.stored.columns.push_back({row.text(1), row.text(6), form});
    }
}

/// "OPERATOR(schema.name)".
std::string operator_by_name(Oid number) {
    return call([&] {
        HeapTuple tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(number));
        auto *row = reinterpret_cast<Form_pg_operator>(GETSTRUCT(tuple));
        char *name =
            psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(row->oprnamespace)), NameStr(row->oprname));
        ReleaseSysCache(tuple);
        return name;
    });
}

/// Read the columns that identify a row and their equality operators.
void read_key(RelationShape &shape) {
    Oid index = key_index(shape.relation);
    if (!OidIsValid(index))
        throw Error(sqlstate::feature_not_supported, shape.name + " has no key that identifies its rows")
            .with_hint("Add a primary key, or a unique index over NOT NULL columns. The key must not be deferrable.");
    for (const IndexedColumn &part : key_parts(index)) {
        auto column = std::ranges::find(shape.columns, part.column, &LiveColumn::number) - shape.columns.begin();
        shape.key.push_back({static_cast<std::size_t>(column), operator_by_name(part.equals)});
        shape.stored.key.push_back(static_cast<std::size_t>(column));
    }
}

/// Read the renames of the table's columns, including those not recorded yet.
void read_renames(Query &query, RelationShape &shape) {
    for (Row row :
         query.run_kept("SELECT number, old_names::text[], new_names::text[] FROM snapback_internal.renames_of($1)",
                        {Value::regclass(shape.relation)}))
        shape.renames.push_back({row.bigint(1), row.text_array(2), row.text_array(3)});
    if (!shape.renames.empty())
        shape.stored.renames = shape.renames.back().number;
}

/// Read the renames of enum labels in the table's columns, including those not recorded yet.
void read_label_renames(Query &query, RelationShape &shape) {
    if (enum_columns(shape.relation).empty())
        return;
    for (Row row :
         query.run_kept("SELECT column_name, form, labels::text[], number, old_labels::text[], new_labels::text[]"
                        " FROM snapback_internal.label_renames_of($1)",
                        {Value::regclass(shape.relation)})) {
        std::size_t column = shape.column_named(row.text(1));
        if (column == shape.columns.size())
            continue; // generated
        LabelForm form = row.text(2) == "value"   ? LabelForm::value
                         : row.text(2) == "array" ? LabelForm::array
                                                  : LabelForm::nested;
        if (shape.labelled.empty() || shape.labelled.back().column != column)
            shape.labelled.push_back({column, form, {}, {}});
        LabelledColumn &labelled = shape.labelled.back();
        for (std::string &label : row.text_array(3))
            labelled.labels.push_back(std::move(label));
        labelled.renames.push_back({row.bigint(4), row.text_array(5), row.text_array(6)});
        shape.stored.label_renames = std::max(shape.stored.label_renames, row.bigint(4));
    }
}

} // namespace

FieldForm form_of(Oid type) {
    switch (type) {
    case BOOLOID:
    case CHAROID:
        return FieldForm::word1;
    case INT2OID:
        return FieldForm::word2;
    case INT4OID:
    case FLOAT4OID:
    case DATEOID:
        return FieldForm::word4;
    case INT8OID:
    case FLOAT8OID:
    case TIMEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
    case MONEYOID:
    case PG_LSNOID:
        return FieldForm::word8;
    case UUIDOID:
        return FieldForm::fixed16;
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
    case BYTEAOID:
    case JSONOID:
    case JSONBOID:
    case NUMERICOID:
    case XMLOID:
        return FieldForm::payload;
    default:
        return FieldForm::text;
    }
}

std::size_t RelationShape::column_named(const std::string &wanted) const {
    std::size_t i = 0;
    while (i < columns.size() && columns[i].name != wanted)
        i++;
    return i;
}

std::vector<ColumnNow> match_columns(const Shape &stored, const RelationShape &live) {
    std::vector<std::string> names;
    for (const ShapeColumn &column : stored.columns)
        names.push_back(column.name);
    std::vector<std::string> live_names;
    for (const LiveColumn &column : live.columns)
        live_names.push_back(column.name);
    return match_columns(names, stored.renames, live.renames, live_names);
}

std::vector<ShapeColumn> columns_as_called_now(const Shape &stored, const RelationShape &live) {
    std::vector<ColumnNow> now = match_columns(stored, live);
    std::vector<ShapeColumn> columns = stored.columns;
    for (std::size_t i = 0; i < columns.size(); i++)
        columns[i].name = now[i].name.value_or("");
    return columns;
}

RelationShape relation_shape(Oid relation) {
    call([&] { LockRelationOid(relation, AccessShareLock); });
    SettingScope plain_names("quote_all_identifiers", "off"); // type names must not depend on the session
    Query query;
    RelationShape shape = read_relation(query, relation);
    read_columns(query, shape);
    read_renames(query, shape);
    read_label_renames(query, shape);
    read_key(shape);
    return shape;
}

} // namespace snapback
