#pragma once
// The forms that text takes inside a mail: headers, quoted-printable bodies, HTML.
#include <cstdint>
#include <string>
#include <string_view>

namespace snapback {

/// Put U+FFFD in place of each byte that belongs to no character of UTF-8.
std::string valid_utf8(std::string_view text);

/// Make text from outside fit to be shown on one line: valid UTF-8, at most so many characters, and no control
/// characters, line separators or marks that change the direction of writing.
std::string one_line(std::string_view text, std::size_t longest = 200);

/// Write a header line whose value is text: as it is where that is short ASCII, else in encoded words (RFC 2047).
std::string text_header(std::string_view name, std::string_view value);

/// Write a header line whose value is in ASCII and has a syntax of its own.
std::string plain_header(std::string_view name, std::string_view value);

/// Write a point of time, in seconds since 1970, as the Date header wants it.
std::string mail_date(std::int64_t seconds);

/// Encode text, its lines ended by \n, as quoted-printable (RFC 2045): lines of at most 76 characters ended by CRLF,
/// none of which starts with a dot.
std::string quoted_printable(std::string_view text);

/// Escape text for use in HTML, within and outside of attributes.
std::string html_escape(std::string_view text);

} // namespace snapback
