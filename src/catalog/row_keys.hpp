#pragma once
// Rows named by their keys, as SQL callers give them: a jsonb array of objects, [{"column": value, …}, …].
#include "catalog/relation_shape.hpp"

namespace snapback {

/// The columns that each of these keys is made of, sorted; none where the keys are not alike, or are not keys.
std::vector<std::string> columns_of_keys(const std::string &keys);

/// The columns of a table's key, sorted.
std::vector<std::string> key_columns(const RelationShape &shape);

/// "a.x OPERATOR(=) b.x AND …" over the key, for two aliases.
std::string same_key(const RelationShape &shape, const std::string &a, const std::string &b);

/// "pg_catalog.jsonb_build_object(…)": the key of a row, seen by its alias, as it is noted: {"column": value as text}.
/// Run it as the table's owner.
std::string key_as_text(const RelationShape &shape, const std::string &alias);

/// The column of keys_as_rows() that holds the key as it was given.
std::string key_as_given(const RelationShape &shape);

/// A subquery that makes rows of the keys in $1: the key's columns in their types, and the key as given. Run it as the
/// table's owner, whose the types may be.
std::string keys_as_rows(const RelationShape &shape);

} // namespace snapback
