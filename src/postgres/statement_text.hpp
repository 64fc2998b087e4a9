#pragma once

namespace snapback {

/// Show this text instead of the running statement's: in pg_stat_activity, and where the log would quote the statement
/// beside an error or a warning. The text must live as long as the server process.
void show_as_statement(const char *text);

} // namespace snapback
