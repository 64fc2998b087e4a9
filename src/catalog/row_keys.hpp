#pragma once
// Row keys as SQL callers specify them: a jsonb array of objects, [{"column": value, …}, …].
#include "catalog/relation_shape.hpp"

namespace snapback {

/// The columns of these keys, sorted; none if the keys have different columns or are not objects.
std::vector<std::string> columns_of_keys(const std::string &keys);

/// The columns of a table's key, sorted.
std::vector<std::string> key_columns(const RelationShape &shape);

/// "a.x OPERATOR(=) b.x AND …" over the key columns, for two aliases.
std::string same_key(const RelationShape &shape, const std::string &a, const std::string &b);

/// "pg_catalog.jsonb_build_object(…)": the key of a row, by its alias, as it is recorded: {"column": value as text}.
/// Run it as the table's owner.
std::string key_as_text(const RelationShape &shape, const std::string &alias);

/// The column of keys_as_rows() that contains the key as specified by the caller.
std::string key_as_given(const RelationShape &shape);

/// A subquery that converts the keys in $1 to rows: the key columns with their types, and the key as specified. Run it
/// as the table's owner, who may own the types.
std::string keys_as_rows(const RelationShape &shape);

} // namespace snapback
