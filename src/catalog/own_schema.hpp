#pragma once
// Names without a schema in functions that a table's constraints call. The sessions that write to the table find them
// by a search_path of their own; a restore has none of the application's.
#include <functional>
#include <optional>

#include "postgres/query.hpp"

namespace snapback {

/// Run a body that evaluates expressions of a table, as the table's owner, in a subtransaction. Where a name is not
/// found, run it again with the table's schema in the search_path, provided that all of that schema is the owner's.
/// Returns what failed.
std::optional<UndoneError> attempt_with_own_schema(Query &query, Oid relation, const std::function<void()> &body);

/// Whether an error is about names that were not found, as where a function relies on the search_path of a session.
bool is_about_names(const ErrorReport &error);

/// The search_path with a table's schema in it; none unless everything in that schema belongs to superusers and roles
/// that may act as the owner, and nobody else may create something there. What is found in it runs as the owner.
std::optional<std::string> path_with_own_schema(Query &query, Oid relation);

} // namespace snapback
