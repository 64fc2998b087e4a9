#pragma once

namespace snapback {

/// Show this text as the current statement in pg_stat_activity and in the server log. The text must live as long as the
/// process.
void show_as_statement(const char *text);

} // namespace snapback
