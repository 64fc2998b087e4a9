#pragma once
// Statements in another database of the same server, run by a background worker.
#include <optional>
#include <string>

namespace snapback {

/// Run a statement in another database as the current user, in a transaction of its own that has ended when this
/// returns. Return the first column of its first row as text, nothing where there is none or it is NULL. Throws the
/// statement's error, with its SQLSTATE; Error (53400) where no worker slot is free, (55000) where the worker could not
/// connect.
std::optional<std::string> run_in_database(const std::string &database, const std::string &statement);

} // namespace snapback
