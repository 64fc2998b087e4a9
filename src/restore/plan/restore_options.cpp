#include "restore/plan/restore_options.hpp"

#include "postgres/spi/query.hpp"

namespace snapback {

namespace {

/// Throw Error (22023) for an invalid value of a switch.
[[noreturn]] void refuse(const std::string &name, const std::string &value, const std::string &allowed) {
    throw Error(sqlstate::invalid_parameter, "invalid value for switch \"" + name + "\": " + value)
        .with_hint("Specify " + allowed + ".");
}

/// Whether a switch with two values has the second one.
bool is_second(const std::string &name, const std::string &json, const char *first, const char *second) {
    if (json == '"' + std::string(first) + '"')
        return false;
    if (json == '"' + std::string(second) + '"')
        return true;
    refuse(name, json, '"' + std::string(first) + "\" or \"" + second + '"');
}

/// Read the kinds of writes.
void read_actions(Query &query, const std::string &json, RestoreOptions &options) {
    const char *allowed = "an array of at least one of \"insert\", \"update\" and \"delete\"";
    if (json.front() != '[')
        refuse("actions", json, allowed);
    options.inserts = options.updates = options.deletes = false;
    Rows actions = query.run("SELECT e::text FROM pg_catalog.jsonb_array_elements($1::jsonb) e", {Value::text(json)});
    for (Row row : actions) {
        std::string action = row.text(1);
        bool *chosen = action == "\"insert\""   ? &options.inserts
                       : action == "\"update\"" ? &options.updates
                       : action == "\"delete\"" ? &options.deletes
                                                : nullptr;
        if (!chosen)
            refuse("actions", json, allowed);
        *chosen = true;
    }
    if (actions.empty())
        refuse("actions", json, allowed);
}

/// Read the rows: {"option or table": [{"key column": value, …}, …], …}.
void read_rows(Query &query, const std::string &json, RestoreOptions &options) {
    const char *allowed = "an object of arrays of keys: {\"option\": [{\"key column\": value}]}";
    if (json.front() != '{')
        refuse("rows", json, allowed);
    for (Row row : query.run("SELECT key, value::text, CASE pg_catalog.jsonb_typeof(value) WHEN 'array' THEN "
                             "  (SELECT count(*) > 0 AND pg_catalog.bool_and(pg_catalog.jsonb_typeof(e) = 'object')"
                             "   FROM pg_catalog.jsonb_array_elements(value) e) ELSE false END"
                             " FROM pg_catalog.jsonb_each($1::jsonb)",
                             {Value::text(json)})) {
        if (!row.boolean(3))
            refuse("rows", json, allowed);
        options.rows.emplace(row.text(1), row.text(2));
    }
    if (options.rows.empty())
        refuse("rows", json, allowed);
}

void read_switch(Query &query, const std::string &name, const std::string &json, RestoreOptions &options) {
    if (name == "actions")
        read_actions(query, json, options);
    else if (name == "referenced")
        options.referenced = is_second(name, json, "keep", "cascade") ? RestoreOptions::Referenced::cascade
                                                                      : RestoreOptions::Referenced::keep;
    else if (name == "missing_parents")
        options.missing_parents = is_second(name, json, "restore", "error") ? RestoreOptions::OnMissingParent::error
                                                                            : RestoreOptions::OnMissingParent::restore;
    else if (name == "on_conflict")
        options.on_conflict = is_second(name, json, "error", "skip") ? RestoreOptions::OnConflict::skip
                                                                     : RestoreOptions::OnConflict::error;
    else if (name == "rows")
        read_rows(query, json, options);
    else if (name == "children" && (json == "true" || json == "false"))
        options.children = json == "true";
    else if (name == "children")
        refuse(name, json, "true or false");
    else
        throw Error(sqlstate::invalid_parameter, "switch \"" + name + "\" does not exist")
            .with_hint("The switches are actions, referenced, missing_parents, on_conflict, rows and children.");
}

} // namespace

RestoreOptions read_restore_options(const Value &switches) {
    RestoreOptions options;
    if (switches.null)
        return options;
    Query query;
    if (Rows kind = query.run("SELECT pg_catalog.jsonb_typeof($1), $1::text", {switches}); kind[0].text(1) != "object")
        throw Error(sqlstate::invalid_parameter, "switches must be a jsonb object, not " + kind[0].text(2))
            .with_hint("For example {\"on_conflict\": \"skip\"}.");
    for (Row row : query.run("SELECT key, value::text FROM pg_catalog.jsonb_each($1)", {switches}))
        read_switch(query, row.text(1), row.text(2), options);
    if (options.children && options.rows.empty())
        throw Error(sqlstate::invalid_parameter, "switch \"children\" requires the switch \"rows\"")
            .with_hint("It adds the rows that refer to the rows of that switch.");
    return options;
}

} // namespace snapback
