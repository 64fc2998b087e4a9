#pragma once
// Unqualified names in functions that a table's constraints call. Sessions of the application resolve them with their
// search_path; a restore does not use that search_path.
#include <functional>
#include <optional>

#include "postgres/spi/query.hpp"

namespace snapback {

/// Run a body that evaluates expressions of a table, as the table's owner, in a subtransaction. If a name is not found,
/// run it again with the table's schema in the search_path, provided that only the owner controls that schema. Returns
/// the error.
std::optional<UndoneError> attempt_with_own_schema(Query &query, Oid relation, const std::function<void()> &body);

/// Whether an error means that a name was not found, for example because a function depends on a search_path.
bool is_about_names(const ErrorReport &error);

/// The search_path with a table's schema, whose functions then run as the owner. None unless all objects in the schema
/// belong to superusers or roles that are members of the owner, and no other role can create objects there.
std::optional<std::string> path_with_own_schema(Query &query, Oid relation);

} // namespace snapback
