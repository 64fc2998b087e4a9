#include "catalog/community_path.hpp"

#include "catalog/directory.hpp"

namespace snapback {

namespace {

constexpr int longest_chain = 16;

struct Step {
    Oid parent;
    std::string condition; // over the child's and the parent's alias
    bool parent_partitioned;
};

/// Turn the foreign key of this name into the join that follows it.
Step follow(Query &query, Oid child, const std::string &via, const std::string &child_alias,
            const std::string &parent_alias) {
    Rows rows =
        query.run("SELECT c.confrelid, p.relkind = 'p',"
                  "       pg_catalog.string_agg(pg_catalog.format('%s.%I OPERATOR(%I.%s) %s.%I', $4, pa.attname, "
                  "n.nspname, o.oprname, $3, ca.attname),"
                  "                             ' AND ' ORDER BY k)"
                  " FROM pg_catalog.pg_constraint c"
                  " JOIN pg_catalog.pg_class p ON p.oid = c.confrelid"
                  " CROSS JOIN LATERAL pg_catalog.generate_subscripts(c.conkey, 1) AS k"
                  " JOIN pg_catalog.pg_attribute ca ON ca.attrelid = c.conrelid AND ca.attnum = c.conkey[k]"
                  " JOIN pg_catalog.pg_attribute pa ON pa.attrelid = c.confrelid AND pa.attnum = c.confkey[k]"
                  " JOIN pg_catalog.pg_operator o ON o.oid = c.conpfeqop[k]"
                  " JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace"
                  " WHERE c.conrelid = $1 AND c.contype = 'f' AND c.conname = $2"
                  " GROUP BY c.confrelid, p.relkind",
                  {Value::regclass(child), Value::text(via), Value::text(child_alias), Value::text(parent_alias)});
    if (rows.empty())
        throw Error(sqlstate::undefined_object,
                    qualified_name(child) + " has no foreign key " + via + ", which leads to its community")
            .with_hint("Call snapback.protect() again with the foreign key that leads there now.");
    return {rows[0].oid(1), rows[0].text(3), rows[0].boolean(2)};
}

/// Find the type of the column that holds the community; a domain's is the type it is made over.
void find_column(Query &query, Oid relation, const std::string &column, CommunityPath &path) {
    Rows rows = query.run(
        "SELECT b.oid, pg_catalog.format_type(b.oid, NULL) FROM pg_catalog.pg_attribute a"
        " CROSS JOIN LATERAL (WITH RECURSIVE base AS ("
        "   SELECT y.oid, y.typbasetype FROM pg_catalog.pg_type y WHERE y.oid = a.atttypid"
        "   UNION ALL SELECT y.oid, y.typbasetype FROM base JOIN pg_catalog.pg_type y ON y.oid = base.typbasetype)"
        "   SELECT oid FROM base WHERE typbasetype = 0) b"
        " WHERE a.attrelid = $1 AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped",
        {Value::regclass(relation), Value::text(column)});
    if (rows.empty())
        throw Error(sqlstate::undefined_column,
                    qualified_name(relation) + " has no column " + column + ", which named its community")
            .with_hint("Call snapback.protect() again with the column that names it now.");
    path.type = rows[0].oid(1);
    path.type_name = rows[0].text(2);
}

/// The path of the protected table that a chain has come to.
ProtectedTable registered(Query &query, Oid relation) {
    Rows rows =
        query.run("SELECT id, community_column::text, via::text FROM snapback.protected_table WHERE relation = $1",
                  {Value::regclass(relation)});
    if (rows.empty())
        throw Error(sqlstate::undefined_object, "the path of a protected table leads through " +
                                                    qualified_name(relation) + ", which is not protected")
            .with_hint("Protect that table too, or name its community column.");
    return {rows[0].integer(1), relation, "", rows[0].optional_text(2).value_or(""),
            rows[0].optional_text(3).value_or("")};
}

} // namespace

std::vector<ProtectedTable> protected_tables() {
    Query query;
    std::vector<ProtectedTable> tables;
    for (Row row : query.run("SELECT id, coalesce(relation, 0)::oid, coalesce(relation_name, '')::text,"
                             "       coalesce(community_column, '')::text, coalesce(via, '')::text"
                             " FROM snapback.protected_table ORDER BY id"))
        tables.push_back({row.integer(1), row.oid(2), row.text(3), row.text(4), row.text(5)});
    return tables;
}

ProtectedTable protected_table(std::int32_t id) {
    for (ProtectedTable &table : protected_tables())
        if (table.id == id)
            return std::move(table);
    throw Error(sqlstate::undefined_object, "there is no protected table " + std::to_string(id));
}

Oid relation_of(const ProtectedTable &table, const std::string &community) {
    if (table.relation_name.empty())
        return table.relation;
    std::optional<DirectoryEntry> entry = directory_entry(community);
    if (!entry || !entry->schema_name)
        throw Error(sqlstate::unknown_community, "the directory names no schema for community " + community);
    Query query;
    Rows rows =
        query.run("SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                  " WHERE n.nspname = $1 AND c.relname = $2",
                  {Value::text(*entry->schema_name), Value::text(table.relation_name)});
    if (rows.empty())
        throw Error(sqlstate::undefined_object, "community " + community + " has no table " + table.relation_name +
                                                    " in its schema " + *entry->schema_name);
    return rows[0].oid(1);
}

CommunityPath community_path(const ProtectedTable &table) {
    Query query;
    CommunityPath path{};
    ProtectedTable at = table;
    std::string alias = "t";
    for (int depth = 1; !at.via.empty(); depth++) {
        if (depth > longest_chain)
            throw Error(sqlstate::object_not_in_state,
                        "the path from " + qualified_name(table.relation) + " to its community goes round in a circle");
        std::string parent_alias = "p" + std::to_string(depth);
        Step step = follow(query, at.relation, at.via, alias, parent_alias);
        path.joins += std::string(" JOIN ") + (step.parent_partitioned ? "" : "ONLY ") + qualified_name(step.parent) +
                      " " + parent_alias + " ON " + step.condition;
        alias = parent_alias;
        // Where the column is named beside the foreign key, it is the parent's, and the chain ends there.
        at = at.community_column.empty() ? registered(query, step.parent)
                                         : ProtectedTable{0, step.parent, "", at.community_column, ""};
    }
    find_column(query, at.relation, at.community_column, path);
    path.column = alias + "." + quote_name(at.community_column);
    return path;
}

} // namespace snapback
