#include "guard/path_builder.hpp"

#include <algorithm>

#include "catalog/community_path.hpp"
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

/// Find a column of a relation; nothing if it does not exist or if triggers cannot see its value.
std::optional<PathColumn> find_column(Oid relation, const std::string &name) {
    PathColumn column{};
    bool usable = call([&] {
        HeapTuple tuple = SearchSysCacheAttName(relation, name.c_str());
        if (!HeapTupleIsValid(tuple))
            return false;
        auto *attribute = reinterpret_cast<Form_pg_attribute>(GETSTRUCT(tuple));
        column = {attribute->attnum, attribute->atttypid, attribute->attlen, attribute->attbyval};
        bool stored = attribute->attgenerated == '\0';
        ReleaseSysCache(tuple);
        return stored;
    });
    return usable ? std::optional(column) : std::nullopt;
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
        std::optional<PathColumn> column = find_column(relation, pair.child_column);
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
    return GuardedPath::Kind::fixed;
}

GuardedPath::Kind start_in_column(GuardedPath &path, Oid relation, const std::string &name) {
    std::optional<PathColumn> column = find_column(relation, name);
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

bool leads_children(Oid relation, GuardedPath &path) {
    if (!path.leads_children) {
        std::vector<Oid> led = with_ancestors(relation);
        auto leads = [&](const ForeignKey &key) { return std::find(led.begin(), led.end(), key.parent) != led.end(); };
        std::vector<ProtectedTable> tables = protected_tables();
        path.leads_children = std::any_of(tables.begin(), tables.end(), [&](const ProtectedTable &table) {
            // Ignore a dropped table.
            if (table.via.empty() ||
                !call([&] { return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(table.relation)); }))
                return false;
            CommunityPath traced = trace_path(table);
            return std::any_of(traced.keys.begin(), traced.keys.end(), leads);
        });
    }
    return *path.leads_children;
}

} // namespace snapback
