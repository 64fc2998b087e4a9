#pragma once
#include <string>

namespace snapback {

/// Convert text from the database's encoding to UTF-8, with U+FFFD in place of what means no character: in SQL_ASCII
/// any byte may be there.
std::string to_utf8(const std::string &text);

/// Whether that conversion needs no U+FFFD.
bool is_convertible_to_utf8(const std::string &text);

} // namespace snapback
