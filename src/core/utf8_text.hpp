#pragma once
// UTF-8 text from outside, which may be invalid.
#include <string>
#include <string_view>

namespace snapback {

/// Remove the first character of UTF-8 text and return it. If the text is invalid, remove one byte and return U+FFFD.
char32_t take_character(std::string_view &text);

/// Append a character in UTF-8.
void append_character(std::string &out, char32_t c);

/// Replace each byte that is not part of a UTF-8 character with U+FFFD.
std::string valid_utf8(std::string_view text);

} // namespace snapback
