#pragma once
#include <string>

namespace snapback {

/// Convert text from the database's encoding to UTF-8.
std::string to_utf8(const std::string &text);

} // namespace snapback
