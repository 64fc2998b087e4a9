#include "catalog/row_keys.hpp"

#include <algorithm>

#include "postgres/spi/free_prefix.hpp"

namespace snapback {

std::vector<std::string> columns_of_keys(const std::string &keys) {
    Query query;
    Rows rows = query.run("SELECT DISTINCT CASE WHEN pg_catalog.jsonb_typeof(e) = 'object' THEN"
                          " ARRAY(SELECT k FROM pg_catalog.jsonb_object_keys(e) k ORDER BY k COLLATE \"C\")"
                          " ELSE '{}' END FROM pg_catalog.jsonb_array_elements($1::jsonb) e",
                          {Value::text(keys)});
    return rows.size() == 1 ? rows[0].text_array(1) : std::vector<std::string>();
}

std::vector<std::string> key_columns(const RelationShape &shape) {
    std::vector<std::string> names;
    for (const KeyColumn &part : shape.key)
        names.push_back(shape.columns[part.column].name);
    std::sort(names.begin(), names.end());
    return names;
}

std::string same_key(const RelationShape &shape, const std::string &a, const std::string &b) {
    std::string condition;
    for (const KeyColumn &part : shape.key) {
        std::string name = quote_name(shape.columns[part.column].name);
        condition += (condition.empty() ? "" : " AND ") + a + "." + name + " " + part.equals + " " + b + "." + name;
    }
    return condition;
}

std::string key_as_text(const RelationShape &shape, const std::string &alias) {
    std::string pairs;
    for (const KeyColumn &part : shape.key) {
        const std::string &name = shape.columns[part.column].name;
        pairs += (pairs.empty() ? "" : ", ") + quote_text(name) + ", CAST(" + alias + "." + quote_name(name) +
                 " AS pg_catalog.text)";
    }
    return "pg_catalog.jsonb_build_object(" + pairs + ")";
}

std::string key_as_given(const RelationShape &shape) {
    return quote_name(free_prefix(shape.relation) + "key");
}

std::string keys_as_rows(const RelationShape &shape) {
    std::string list;
    for (const KeyColumn &part : shape.key) {
        const std::string &name = shape.columns[part.column].name;
        list += ", CAST(e.element OPERATOR(pg_catalog.->>) " + quote_text(name) + " AS " +
                shape.stored.columns[part.column].type + ") AS " + quote_name(name);
    }
    return "(SELECT e.element AS " + key_as_given(shape) + list +
           " FROM pg_catalog.jsonb_array_elements($1::jsonb) e (element))";
}

} // namespace snapback
