#include "guard/path_builder.hpp"

#include <algorithm>

#include "postgres/as_owner.hpp"
#include "postgres/foreign_key.hpp"
#include "postgres/heavy_lock.hpp"
#include "postgres/inheritance.hpp"
#include "postgres/table_scan.hpp"

namespace snapback {

namespace {

/// A row of snapback.protected_table.
struct Registration {
    Oid relation; // that the path is told of; for a table by name, the one of that name
    std::optional<std::string> community_column;
    std::optional<std::string> via;
};

/// Read the relation's name if the schema of a community may hold it.
std::string name_of(Oid relation) {
    const char *name = call([&] { return get_rel_name(relation); });
    return name ? name : "";
}

/// Find what is registered for one relation, by itself or by its name.
std::optional<Registration> registration_of(Oid relation) {
    std::optional<Registration> by_oid;
    std::optional<Registration> by_name;
    std::string name = name_of(relation);
    scan_latest(own_table("protected_table"), [&](const ScannedRow &row) {
        if (!row.is_null(2) && DatumGetObjectId(row.datum(2)) == relation)
            by_oid = {relation, row.optional_text(4), row.optional_text(5)};
        else if (row.optional_text(3) == name)
            by_name = {relation, std::nullopt, std::nullopt};
    });
    return by_oid ? by_oid : by_name;
}

/// Find what is registered for the relation or the topmost of its ancestors.
std::optional<Registration> topmost_registration(Oid relation) {
    std::vector<Oid> candidates = with_ancestors(relation);
    for (auto candidate = candidates.rbegin(); candidate != candidates.rend(); ++candidate)
        if (auto found = registration_of(*candidate))
            return found;
    return std::nullopt;
}

/// Read from the directory, as its owner, which community a schema belongs to.
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

/// Describe a column of a relation; nothing if it has none of that name, or one whose value triggers cannot see.
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

/// Whether an operator or a cast is Postgres's own; others are code of a user's.
bool is_built_in(Oid object) {
    return object < FirstNormalObjectId;
}

/// Write "parent_column = $n" with the very operator of the foreign key.
std::string key_condition(const ForeignKeyConstraint::Pair &pair, int number) {
    std::string column = "p." + quote_name(pair.parent_column);
    std::string parameter = "$" + std::to_string(number);
    return call([&] {
        StringInfoData text;
        initStringInfo(&text);
        generate_operator_clause(&text, column.c_str(), pair.parent_type, pair.equals, parameter.c_str(), pair.type);
        return text.data;
    });
}

/// Builds the chain of queries that leads from a foreign key to the community.
class ChainBuilder {
public:
    ChainBuilder(GuardedPath &path, Oid relation) : path_(path), relation_(relation) {}
    /// Follow the registration's foreign keys; return what they lead to.
    GuardedPath::Kind follow(Registration from);

private:
    bool start_from(const ForeignKeyConstraint &key);
    void add_step(const ForeignKeyConstraint &key, const std::string &selected, bool own_code);
    bool end_in_column(const ForeignKeyConstraint &key, const std::string &column);

    GuardedPath &path_;
    Oid relation_;
    Query query_; // the plans are made in it
};

bool ChainBuilder::start_from(const ForeignKeyConstraint &key) {
    for (const ForeignKeyConstraint::Pair &pair : key.pairs) {
        std::optional<PathColumn> column = find_column(relation_, pair.column);
        if (!column)
            return false;
        path_.columns.push_back(*column);
    }
    return true;
}

void ChainBuilder::add_step(const ForeignKeyConstraint &key, const std::string &selected, bool own_code) {
    Oid owner = lock_and_get_owner(key.parent);
    bool partitioned = call([&] { return get_rel_relkind(key.parent); }) == RELKIND_PARTITIONED_TABLE;
    std::string sql =
        "SELECT " + selected + " FROM " + (partitioned ? "" : "ONLY ") + qualified_name(key.parent) + " p WHERE ";
    std::vector<Oid> types;
    for (const ForeignKeyConstraint::Pair &pair : key.pairs) {
        types.push_back(pair.type);
        sql += (types.size() > 1 ? " AND " : "") + key_condition(pair, static_cast<int>(types.size()));
        own_code |= !is_built_in(pair.equals);
    }
    path_.steps.emplace_back(owner, sql, types);
    if (own_code)
        path_.steps.back().fix_settings();
}

bool ChainBuilder::end_in_column(const ForeignKeyConstraint &key, const std::string &column) {
    AttrNumber number = call([&] { return get_attnum(key.parent, column.c_str()); });
    if (number == InvalidAttrNumber)
        return false;
    Oid type = call([&] { return getBaseType(get_atttype(key.parent, number)); });
    add_step(key, "(p." + quote_name(column) + ")::pg_catalog.text", !is_built_in(type));
    return true;
}

std::string column_list(const ForeignKeyConstraint &key) {
    std::string list;
    for (const ForeignKeyConstraint::Pair &pair : key.pairs)
        list += (list.empty() ? "p." : ", p.") + quote_name(pair.column);
    return list;
}

/// Give all rows of a relation the community whose schema it is in.
GuardedPath::Kind fix_community(GuardedPath &path, Oid relation) {
    std::optional<std::string> community = community_of_schema(call([&] { return get_rel_namespace(relation); }));
    path.lasting = community.has_value();
    if (!community)
        return GuardedPath::Kind::none;
    path.community = LockedCommunity{*community, lock_key(*community)};
    return GuardedPath::Kind::fixed;
}

GuardedPath::Kind ChainBuilder::follow(Registration from) {
    constexpr auto chain_if = [](bool found) { return found ? GuardedPath::Kind::chain : GuardedPath::Kind::unknown; };
    std::optional<ForeignKeyConstraint> key = find_foreign_key(from.relation, *from.via);
    if (!key || !start_from(*key))
        return GuardedPath::Kind::unknown;
    std::vector<Oid> visited;
    for (;;) {
        path_.relations.push_back(key->parent);
        if (from.community_column)
            return chain_if(end_in_column(*key, *from.community_column));
        std::optional<Registration> parent = topmost_registration(key->parent);
        if (!parent || std::find(visited.begin(), visited.end(), parent->relation) != visited.end())
            return GuardedPath::Kind::unknown;
        visited.push_back(parent->relation);
        path_.relations.push_back(parent->relation);
        if (!parent->via)
            return parent->community_column ? chain_if(end_in_column(*key, *parent->community_column))
                                            : fix_community(path_, parent->relation);
        std::optional<ForeignKeyConstraint> next = find_foreign_key(parent->relation, *parent->via);
        if (!next)
            return GuardedPath::Kind::unknown;
        add_step(*key, column_list(*next), false);
        key = next;
        from = *parent;
    }
}

GuardedPath::Kind start_in_column(GuardedPath &path, Oid relation, const std::string &name) {
    std::optional<PathColumn> column = find_column(relation, name);
    if (!column)
        return GuardedPath::Kind::unknown;
    path.columns.push_back(*column);
    path.cast.emplace(column->type);
    return GuardedPath::Kind::column;
}

} // namespace

bool is_registered(Oid relation) {
    return topmost_registration(relation).has_value();
}

GuardedPath build_path(Oid relation) {
    GuardedPath path;
    path.relations = with_ancestors(relation);
    path.relations.push_back(own_table("protected_table"));
    std::optional<Registration> found = topmost_registration(relation);
    if (!found)
        return path;
    if (found->via)
        path.kind = ChainBuilder(path, relation).follow(*found);
    else if (found->community_column)
        path.kind = start_in_column(path, relation, *found->community_column);
    else
        path.kind = fix_community(path, found->relation);
    return path;
}

} // namespace snapback
