#include "catalog/community_path.hpp"

#include <algorithm>

#include "catalog/directory.hpp"
#include "postgres/catalog/inheritance.hpp"
#include "postgres/exec/table_scan.hpp"
#include "postgres/spi/result_set.hpp"

namespace snapback {

namespace {

/// Read a relation's name; empty if the relation was dropped.
std::string name_of(Oid relation) {
    const char *name = call([&] { return get_rel_name(relation); });
    return name ? name : "";
}

bool has_column(Oid relation, const std::string &column) {
    return call([&] { return get_attnum(relation, column.c_str()) > 0; });
}

std::string list_names(const std::vector<ForeignKey> &keys) {
    std::string list;
    for (const ForeignKey &key : keys)
        list += (list.empty() ? "" : ", ") + quote_name(key.name);
    return list;
}

Error no_such_key(Oid relation, const std::string &name) {
    std::string names = list_names(foreign_keys_from(relation));
    return Error(sqlstate::undefined_object, qualified_name(relation) + " has no foreign key \"" + name + "\"")
        .with_hint(names.empty() ? "The table has no foreign keys."
                                 : "Call snapback.protect() with one of its foreign keys: " + names + ".");
}

Error no_such_column(Oid relation, const std::string &name) {
    return Error(sqlstate::undefined_column, qualified_name(relation) + " has no column \"" + name + "\"")
        .with_hint("Call snapback.protect() with the column that contains the community.");
}

Error parent_not_protected(const ForeignKey &key) {
    std::string parent = qualified_name(key.parent);
    return Error(sqlstate::no_community_path, "foreign key \"" + key.name + "\" of " + qualified_name(key.child) +
                                                  " references " + parent + ", which is not protected")
        .with_hint("Protect " + parent + " first, or set community_column to its column that contains the community.");
}

Error circle(Oid relation) {
    return Error(sqlstate::no_community_path, "the path from " + qualified_name(relation) + " forms a cycle")
        .with_hint("Set via to a foreign key that leads to a community.");
}

/// Whether a path already contains a relation.
bool has_met(const CommunityPath &path, Oid table, Oid relation) {
    return relation == table || std::any_of(path.keys.begin(), path.keys.end(),
                                            [&](const ForeignKey &key) { return key.parent == relation; });
}

/// End the path in a column of its last relation.
void end_in_column(CommunityPath &path, const std::string &column) {
    path.column = column;
    if (!has_column(path.end, column))
        path.fault = no_such_column(path.end, column);
}

/// Return the fault of a path that must end in a column, not in a schema.
std::optional<Error> fault_of(const CommunityPath &path) {
    if (!path.fault && path.column.empty())
        return Error(sqlstate::no_community_path, "the path leads to " + qualified_name(path.end) +
                                                      ", a table that exists in the schema of each community")
            .with_hint("Protect the tables of such schemas without community_column and via.");
    return path.fault;
}

/// Format a path for display: department_id -> departments.cid.
std::string describe(const CommunityPath &path) {
    std::string text;
    for (const ForeignKey &key : path.keys) {
        std::string columns;
        for (const ForeignKey::Pair &pair : key.pairs)
            columns += (columns.empty() ? "" : ", ") + quote_name(pair.child_column);
        text += (key.pairs.size() == 1 ? columns : "(" + columns + ")") + " -> " + qualified_name(key.parent) + ".";
    }
    return path.column.empty() ? text : text + quote_name(path.column);
}

std::string or_empty(const ScannedRow &row, int column) {
    return row.optional_text(column).value_or("");
}

} // namespace

std::vector<ProtectedTable> protected_tables() {
    std::vector<ProtectedTable> tables;
    scan_latest(own_table("protected_table"), [&](const ScannedRow &row) {
        tables.push_back({DatumGetInt32(row.datum(1)), DatumGetObjectId(row.datum(2)), or_empty(row, 3),
                          or_empty(row, 4), or_empty(row, 5)});
    });
    std::sort(tables.begin(), tables.end(), [](const auto &a, const auto &b) { return a.id < b.id; });
    return tables;
}

ProtectedTable protected_table(std::int32_t id) {
    for (ProtectedTable &table : protected_tables())
        if (table.id == id)
            return std::move(table);
    throw Error(sqlstate::undefined_object, "protected table " + std::to_string(id) + " does not exist");
}

namespace {

/// The registration of the first of these relations that is registered, by OID or by name.
std::optional<ProtectedTable> first_registered(const std::vector<Oid> &candidates) {
    std::vector<ProtectedTable> tables = protected_tables();
    for (Oid candidate : candidates) {
        std::optional<ProtectedTable> by_name;
        std::string name = name_of(candidate);
        for (const ProtectedTable &table : tables) {
            if (table.relation == candidate)
                return table;
            if (!table.relation_name.empty() && table.relation_name == name)
                by_name = {table.id, candidate, table.relation_name, "", ""};
        }
        if (by_name)
            return by_name;
    }
    return std::nullopt;
}

} // namespace

std::optional<ProtectedTable> registered_as(Oid relation) {
    std::vector<Oid> candidates = with_ancestors(relation);
    std::ranges::reverse(candidates);
    return first_registered(candidates);
}

std::optional<ProtectedTable> captured_as(Oid relation) {
    return first_registered(with_ancestors(relation));
}

Oid relation_of(const ProtectedTable &table, const std::string &community) {
    if (table.relation_name.empty())
        return table.relation;
    std::optional<DirectoryEntry> entry = directory_entry(community);
    if (!entry || !entry->schema_name)
        throw Error(sqlstate::unknown_community, "the directory contains no schema name for community " + community);
    Query query;
    Rows rows =
        query.run("SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                  " WHERE n.nspname = $1 AND c.relname = $2",
                  {Value::text(*entry->schema_name), Value::text(table.relation_name)});
    if (rows.empty())
        throw Error(sqlstate::undefined_object, "community " + community + " has no table " + table.relation_name +
                                                    " in its schema " + *entry->schema_name)
            .with_hint("The schema of each community must contain the tables that are protected by name.");
    return rows[0].oid(1);
}

CommunityPath trace_path(const ProtectedTable &table) {
    CommunityPath path{{}, table.relation, "", std::nullopt};
    ProtectedTable at = table;
    while (!at.via.empty()) {
        std::optional<ForeignKey> key = find_foreign_key(at.relation, at.via);
        if (!key) {
            path.fault = no_such_key(at.relation, at.via);
            return path;
        }
        bool met = has_met(path, table.relation, key->parent);
        path.keys.push_back(*key);
        path.end = key->parent;
        if (met) {
            path.fault = circle(table.relation);
            return path;
        }
        // A column next to a foreign key belongs to the parent and ends the chain.
        std::optional<ProtectedTable> parent;
        if (!at.community_column.empty())
            parent = ProtectedTable{0, key->parent, "", at.community_column, ""};
        else
            parent = registered_as(key->parent);
        if (!parent) {
            path.fault = parent_not_protected(*key);
            return path;
        }
        at = *parent;
    }
    if (!at.relation_name.empty())
        path.end = at.relation;
    else
        end_in_column(path, at.community_column);
    return path;
}

JoinedPath joined_path(const ProtectedTable &table) {
    CommunityPath path = trace_path(table);
    if (std::optional<Error> fault = fault_of(path))
        throw Error(*fault);
    JoinedPath joined{};
    std::string alias = "t";
    for (std::size_t i = 0; i < path.keys.size(); i++) {
        std::string parent = "p" + std::to_string(i + 1);
        joined.joins +=
            " JOIN " + readable(path.keys[i].parent).from + " " + parent + " ON " + path.keys[i].refers(parent, alias);
        joined.parents.push_back(path.keys[i].parent);
        alias = parent;
    }
    joined.column = alias + "." + quote_name(path.column);
    call([&] { joined.type = getBaseType(get_atttype(path.end, get_attnum(path.end, path.column.c_str()))); });
    joined.type_name = call([&] { return format_type_be_qualified(joined.type); });
    return joined;
}

std::string comes_to(const JoinedPath &path, const std::string &community) {
    // OFFSET prevents the planner from starting at the other end and scanning all rows of the community for each row.
    // It chooses that plan if it expects few rows, for example if ANALYZE ran while the community's rows were deleted.
    return "EXISTS (SELECT FROM (SELECT " + path.column + " FROM (VALUES (0)) v (one)" + path.joins +
           " OFFSET 0) q (community) WHERE q.community = CAST(" + quote_text(community) + " AS " + path.type_name +
           "))";
}

} // namespace snapback

using namespace snapback;

SNAPBACK_FUNCTION(snapback_resolve_path) {
    auto name_argument = [&](int i) { return PG_ARGISNULL(i) ? std::string() : NameStr(*PG_GETARG_NAME(i)); };
    if (PG_ARGISNULL(0))
        return result_row(fcinfo, {Value::text(std::nullopt), Value::text(std::nullopt), Value::text(std::nullopt),
                                   Value::text(std::nullopt)});
    CommunityPath path = trace_path({0, PG_GETARG_OID(0), "", name_argument(1), name_argument(2)});
    std::optional<Error> fault = fault_of(path);
    auto of_fault = [&](std::string Error::*part) {
        return Value::text(fault ? std::optional((*fault).*part) : std::nullopt);
    };
    std::optional<std::string> problem;
    if (fault)
        problem = fault->what();
    return result_row(fcinfo, {Value::text(describe(path)), of_fault(&Error::sqlstate), Value::text(problem),
                               of_fault(&Error::hint)});
}
