#pragma once
// Encodings of text in mail: headers, quoted-printable bodies, HTML.
#include <cstdint>
#include <string>
#include <string_view>

namespace snapback {

/// Make external text safe to show on one line. The result is valid UTF-8 of limited length, without control
/// characters, line separators, or direction marks.
std::string one_line(std::string_view text, std::size_t longest = 200);

/// Write a header line with a text value: short ASCII as is, other text as encoded words (RFC 2047).
std::string text_header(std::string_view name, std::string_view value);

/// Write a header line whose value is structured ASCII.
std::string plain_header(std::string_view name, std::string_view value);

/// Format a time, in seconds since 1970, for the Date header.
std::string mail_date(std::int64_t seconds);

/// Encode text with \n line endings as quoted-printable (RFC 2045). The lines have at most 76 characters, end with
/// CRLF, and never start with a dot.
std::string quoted_printable(std::string_view text);

/// Escape text for HTML content and attribute values.
std::string html_escape(std::string_view text);

} // namespace snapback
