// The selection of options, and possibly single rows of them, as conditions over the columns of each table.
#include "restore/plan/selection.hpp"

#include <algorithm>

#include "catalog/row_keys.hpp"

namespace snapback {

namespace {

/// Append a condition, with OR if it is not the first one.
void add_or(std::string &conditions, const std::string &condition) {
    conditions += (conditions.empty() ? "" : " OR ") + ("(" + condition + ")");
}

/// The part of a table that an option covers.
struct Coverage {
    std::int32_t table;
    std::string option;
    std::vector<std::string> columns; // empty: all
    std::string filter;
};

void cover(Selection &selection, const Coverage &coverage) {
    selection.options.push_back(coverage.option);
    selection.shares.push_back({coverage.option, coverage.columns, coverage.filter});
    if (!coverage.columns.empty())
        selection.parts.push_back({coverage.columns, coverage.filter});
    else if (coverage.filter == "true" || selection.rows == "true")
        selection.rows = "true";
    else
        add_or(selection.rows, coverage.filter);
}

std::vector<Coverage> coverage_of(const std::vector<std::string> &options) {
    std::vector<Coverage> coverage;
    Query query;
    for (Row row : query.run("SELECT table_id, option, coalesce(columns, '{}')::text[], coalesce(filter, 'true')"
                             " FROM snapback.coverage WHERE option = ANY ($1) ORDER BY table_id, option",
                             {Value::text_array(options)}))
        coverage.push_back({row.integer(1), row.text(2), row.text_array(3), row.text(4)});
    return coverage;
}

/// Finds the tables that the switch "rows" names.
class RowChoice {
public:
    RowChoice(std::span<const ProtectedTable> tables, const std::string &community,
              const std::vector<Coverage> &coverage)
        : tables_(tables), community_(community), coverage_(coverage) {}

    /// Find the only table with this option or name and these key columns.
    std::int32_t table(const std::string &name, const std::string &keys) const {
        std::vector<std::string> given = columns_of_keys(keys);
        std::vector<std::int32_t> found;
        std::string names;
        for (const ProtectedTable &candidate : tables_) {
            if (!is_meant(candidate, name))
                continue;
            RelationShape shape = relation_shape(relation_of(candidate, community_));
            if (key_columns(shape) != given)
                continue;
            found.push_back(candidate.id);
            names += (names.empty() ? "" : ", ") + shape.name;
        }
        if (found.empty())
            throw Error(sqlstate::invalid_parameter, "switch \"rows\": no table of the chosen options matches \"" +
                                                         name + "\" and the given key columns")
                .with_hint("Specify a chosen option or its table, and in each element all columns of the primary key.");
        if (found.size() > 1)
            throw Error(sqlstate::invalid_parameter,
                        "switch \"rows\": several tables of \"" + name + "\" have this key: " + names)
                .with_hint("Name the table instead of the option.");
        return found.front();
    }

    /// Restrict the options that cover this table to it.
    void limit(std::int32_t table, std::vector<std::string> &limited) const {
        for (const Coverage &item : coverage_)
            if (item.table == table)
                limited.push_back(item.option);
    }

private:
    bool is_meant(const ProtectedTable &table, const std::string &name) const {
        bool by_name = table.relation_name.empty() ? names_relation(name, table.relation) : table.relation_name == name;
        return std::any_of(coverage_.begin(), coverage_.end(), [&](const Coverage &item) {
            return item.table == table.id && (by_name || item.option == name);
        });
    }

    static bool names_relation(const std::string &name, Oid relation) {
        Query query;
        return query
            .run("SELECT coalesce(pg_catalog.to_regclass($1) = $2::oid, false)",
                 {Value::text(name), Value::regclass(relation)})[0]
            .boolean(1);
    }

    std::span<const ProtectedTable> tables_;
    const std::string &community_;
    const std::vector<Coverage> &coverage_;
};

/// Restrict each option whose rows the switches name to these rows; return their keys by table.
std::map<std::int32_t, std::string> choose_rows(const RowChoice &choice, const RestoreOptions &switches,
                                                std::vector<Coverage> &coverage) {
    std::map<std::int32_t, std::string> keys;
    std::vector<std::string> limited;
    for (const auto &[name, elements] : switches.rows) {
        std::int32_t table = choice.table(name, elements);
        if (!keys.emplace(table, elements).second)
            throw Error(sqlstate::invalid_parameter,
                        "switch \"rows\" names one table twice, the second time as \"" + name + "\"")
                .with_hint("Put all keys of a table into one array.");
        choice.limit(table, limited);
    }
    std::erase_if(coverage, [&](const Coverage &item) {
        return !keys.contains(item.table) && std::find(limited.begin(), limited.end(), item.option) != limited.end();
    });
    return keys;
}

} // namespace

void Selection::narrow(const std::string &condition) {
    if (!rows.empty())
        rows = "(" + rows + ") AND " + condition;
    for (Part &part : parts)
        part.rows = "(" + part.rows + ") AND " + condition;
}

void Selection::widen(const std::string &condition) {
    if (rows != "true")
        add_or(rows, condition);
}

Selections select_tables(std::span<const ProtectedTable> tables, const std::string &community,
                         const std::vector<std::string> &options, const RestoreOptions &switches) {
    std::vector<Coverage> coverage = coverage_of(options);
    std::map<std::int32_t, std::string> keys = choose_rows(RowChoice(tables, community, coverage), switches, coverage);
    Selections chosen;
    for (const Coverage &item : coverage)
        cover(chosen[item.table], item);
    for (const auto &[table, elements] : keys)
        chosen[table].only = elements;
    return chosen;
}

void add_rows_touched_outside(Selections &selections, const std::string &snapshot,
                              const std::vector<std::string> &options) {
    Query query;
    for (Row row : query.run("SELECT t.table_id, pg_catalog.jsonb_agg(t.key)::text FROM snapback.restore_run r"
                             " JOIN snapback.restore_row t ON t.restore = r.id"
                             " WHERE r.before_snapshot = $1 AND r.options <@ $2 GROUP BY t.table_id",
                             {Value::uuid(snapshot), Value::text_array(options)}))
        selections[row.integer(1)].also = row.text(2);
}

} // namespace snapback
