#include "guard/path_builder.hpp"

#include <algorithm>
#include <array>

#include "catalog/community_path.hpp"
#include "guard/guard_state.hpp"
#include "postgres/catalog/inheritance.hpp"
#include "postgres/exec/as_owner.hpp"
#include "postgres/exec/table_scan.hpp"

namespace snapback {

namespace {

/// Read the community of a schema from the directory, as the directory's owner.
std::optional<std::string> community_of_schema(Oid schema) {
    Oid directory = InvalidOid;
    scan_latest(own_table("directory"), [&](const ScannedRow &row) { directory = DatumGetObjectId(row.datum(1)); });
    if (!OidIsValid(directory) ||
        !OidIsValid(call([&] { return static_cast<Oid>(get_attnum(directory, "schema_name")); })))
        return std::nullopt;
    AsOwner owner(lock_and_get_owner(directory));
    Query query;
    Rows rows = query.run("SELECT d.community::pg_catalog.text FROM " + qualified_name(directory) +
                              " d WHERE d.schema_name::pg_catalog.text OPERATOR(pg_catalog.=) $1 LIMIT 1",
                          {Value::text(call([&] { return get_namespace_name(schema); }))});
    return rows.empty() ? std::nullopt : rows[0].optional_text(1);
}

/// Converts a traced path to the steps from a foreign key to the community.
class ChainBuilder {
public:
    explicit ChainBuilder(GuardedPath &path) : path_(path) {}
    /// Add the steps of a path that starts at a relation. Return the kind of the path.
    GuardedPath::Kind add(Oid relation, const CommunityPath &traced);

private:
    bool start_from(Oid relation, const ForeignKey &key);
    void add_step(const ForeignKey &key, const std::vector<std::string> &selected);

    GuardedPath &path_;
};

bool ChainBuilder::start_from(Oid relation, const ForeignKey &key) {
    for (const ForeignKey::Pair &pair : key.pairs) {
        std::optional<StoredColumn> column = find_column(relation, pair.child_column);
        if (!column)
            return false;
        path_.columns.push_back(*column);
    }
    return true;
}

AttrNumber column_number(Oid relation, const std::string &column) {
    return call([&] { return get_attnum(relation, column.c_str()); });
}

/// Whether an operator is built in; other operators are user code.
bool is_built_in(Oid op) {
    return op < FirstNormalObjectId;
}

/// A query that follows a foreign key as the parent's owner.
SavedPlan plan_step(const ForeignKey &key, const std::vector<std::string> &selected) {
    Query query;
    std::vector<Oid> types;
    for (const ForeignKey::Pair &pair : key.pairs)
        types.push_back(pair.child_type);
    std::string list;
    for (const std::string &column : selected)
        list += (list.empty() ? "p." : ", p.") + quote_name(column);
    SavedPlan plan(
        lock_and_get_owner(key.parent),
        "SELECT " + list + " FROM " + readable(key.parent).from + " p WHERE " + key.refers_by_parameters("p"), types);
    for (const ForeignKey::Pair &pair : key.pairs)
        if (!is_built_in(pair.equals))
            plan.fix_settings();
    return plan;
}

void ChainBuilder::add_step(const ForeignKey &key, const std::vector<std::string> &selected) {
    std::vector<KeyLookup::Part> parts;
    for (const ForeignKey::Pair &pair : key.pairs)
        parts.push_back({column_number(key.parent, pair.parent_column), pair.child_type, pair.equals});
    std::vector<AttrNumber> numbers;
    for (const std::string &column : selected)
        numbers.push_back(column_number(key.parent, column));
    if (KeyLookup::serves(key.parent, key.index, parts))
        path_.steps.emplace_back(std::in_place_type<KeyLookup>, key.parent, key.index, parts, numbers);
    else
        path_.steps.emplace_back(plan_step(key, selected));
}

std::vector<std::string> child_columns(const ForeignKey &key) {
    std::vector<std::string> columns;
    for (const ForeignKey::Pair &pair : key.pairs)
        columns.push_back(pair.child_column);
    return columns;
}

/// Read the community from a column.
void read_name(GuardedPath &path, Oid relation, const std::string &column) {
    Oid type = call([&] { return get_atttype(relation, get_attnum(relation, column.c_str())); });
    path.name.emplace(type, lock_and_get_owner(relation));
}

GuardedPath::Kind ChainBuilder::add(Oid relation, const CommunityPath &traced) {
    if (!start_from(relation, traced.keys.front()))
        return GuardedPath::Kind::unknown;
    for (std::size_t i = 0; i + 1 < traced.keys.size(); i++)
        add_step(traced.keys[i], child_columns(traced.keys[i + 1]));
    add_step(traced.keys.back(), {traced.column});
    read_name(path_, traced.end, traced.column);
    return GuardedPath::Kind::chain;
}

/// Assign the community of the relation's schema to all its rows.
GuardedPath::Kind fix_community(GuardedPath &path, Oid relation) {
    std::optional<std::string> community = community_of_schema(call([&] { return get_rel_namespace(relation); }));
    path.lasting = community.has_value();
    if (!community)
        return GuardedPath::Kind::none;
    path.community.emplace(*community);
    path.own_table = relation;
    return GuardedPath::Kind::fixed;
}

/// The stored columns of a relation's unique indexes. Only these can be referenced by foreign keys.
std::vector<StoredColumn> unique_columns(Oid relation) {
    std::array<AttrNumber, MaxAttrNumber> numbers{};
    int count = call([&] {
        int found = 0;
        Relation opened = table_open(relation, AccessShareLock);
        Bitmapset *columns = RelationGetIndexAttrBitmap(opened, INDEX_ATTR_BITMAP_KEY);
        for (int i = -1; (i = bms_next_member(columns, i)) >= 0;)
            if (AttrNumber number = static_cast<AttrNumber>(i + FirstLowInvalidHeapAttributeNumber); number > 0)
                numbers[found++] = number;
        bms_free(columns);
        table_close(opened, NoLock);
        return found;
    });
    std::vector<StoredColumn> columns;
    for (int i = 0; i < count; i++) {
        const char *name = call([&] { return get_attname(relation, numbers[i], true); });
        if (std::optional<StoredColumn> column = name ? find_column(relation, name) : std::nullopt)
            columns.push_back(*column);
    }
    return columns;
}

GuardedPath::Kind start_in_column(GuardedPath &path, Oid relation, const std::string &name) {
    std::optional<StoredColumn> column = find_column(relation, name);
    if (!column)
        return GuardedPath::Kind::unknown;
    path.columns.push_back(*column);
    read_name(path, relation, name);
    return GuardedPath::Kind::column;
}

} // namespace

GuardedPath build_path(Oid relation) {
    GuardedPath path;
    path.relations = with_ancestors(relation);
    path.relations.push_back(own_table("protected_table"));
    std::optional<ProtectedTable> registered = registered_as(relation);
    if (!registered)
        return path;
    path.overtaken = is_overtaken(relation);
    ProtectedTable captured = captured_as(relation).value();
    path.table = captured.id;
    path.key = KeyForm::of(captured.relation, relation);
    path.unique = unique_columns(relation);
    CommunityPath traced = trace_path(*registered);
    for (const ForeignKey &key : traced.keys)
        for (Oid member : with_ancestors(key.parent))
            path.relations.push_back(member);
    if (traced.fault)
        path.kind = GuardedPath::Kind::unknown;
    else if (traced.column.empty())
        path.kind = fix_community(path, traced.end);
    else if (traced.keys.empty())
        path.kind = start_in_column(path, relation, traced.column);
    else
        path.kind = ChainBuilder(path).add(relation, traced);
    return path;
}

namespace {

/// Whether values of a column that are equal also have equal bytes.
bool compares_bytes(Oid relation, const StoredColumn &column) {
    switch (call([&] { return getBaseType(column.type); })) {
    case BOOLOID:
    case CHAROID:
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case OIDOID:
    case UUIDOID:
    case DATEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
    case BYTEAOID:
        return true;
    case TEXTOID:
    case VARCHAROID: {
        Oid collation = call([&] {
            HeapTuple tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relation), Int16GetDatum(column.number));
            Oid found = HeapTupleIsValid(tuple) ? reinterpret_cast<Form_pg_attribute>(GETSTRUCT(tuple))->attcollation
                                                : InvalidOid;
            if (HeapTupleIsValid(tuple))
                ReleaseSysCache(tuple);
            return found;
        });
        return OidIsValid(collation) && call([&] { return get_collation_isdeterministic(collation); });
    }
    default:
        return false;
    }
}

/// The columns of a relation, by which a foreign key refers to it or to an ancestor.
LedTable led_by(const ForeignKey &key, Oid relation, std::int32_t table) {
    LedTable led{table, {}, true};
    for (const ForeignKey::Pair &pair : key.pairs)
        if (std::optional<StoredColumn> column = find_column(relation, pair.parent_column)) {
            led.referenced.push_back(*column);
            led.compares_bytes = led.compares_bytes && compares_bytes(relation, *column);
        }
    led.compares_bytes = led.compares_bytes && led.referenced.size() == key.pairs.size();
    return led;
}

/// Find the tables whose paths lead through a relation.
std::vector<LedTable> find_led_tables(Oid relation) {
    std::vector<Oid> parents = with_ancestors(relation);
    std::vector<LedTable> led;
    for (const ProtectedTable &table : protected_tables()) {
        // Ignore a dropped table.
        if (table.via.empty() || !call([&] { return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(table.relation)); }))
            continue;
        for (const ForeignKey &key : trace_path(table).keys)
            if (std::find(parents.begin(), parents.end(), key.parent) != parents.end())
                led.push_back(led_by(key, relation, table.id));
    }
    return led;
}

} // namespace

const std::vector<LedTable> &led_tables(Oid relation, GuardedPath &path) {
    if (!path.led)
        path.led = find_led_tables(relation);
    return *path.led;
}

} // namespace snapback
