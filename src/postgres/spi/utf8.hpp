#pragma once
#include <string>

namespace snapback {

/// Convert text from the database encoding to UTF-8. Invalid bytes, which SQL_ASCII allows, become U+FFFD.
std::string to_utf8(const std::string &text);

/// Whether the conversion needs no U+FFFD.
bool is_convertible_to_utf8(const std::string &text);

} // namespace snapback
