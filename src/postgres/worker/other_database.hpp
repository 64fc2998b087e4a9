#pragma once
// Statements in another database of the server, executed by a background worker.
#include <optional>
#include <string>

namespace snapback {

/// Execute a statement in another database as the current user, in a separate transaction that commits before this
/// returns. Return the first column of the first row as text; nothing if there is no row or it is NULL. Throws the
/// statement's error with its SQLSTATE, Error 53400 if no worker slot is free, and Error 55000 if the worker could not
/// connect.
std::optional<std::string> run_in_database(const std::string &database, const std::string &statement);

} // namespace snapback
