#include "mail/text/mail_encoding.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "core/error.hpp"
#include "core/utf8_text.hpp"

namespace snapback {

namespace {

/// Whether a character breaks a line or changes how the line is displayed.
bool is_unfit_for_line(char32_t c) {
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x061C || c == 0x200E || c == 0x200F ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

bool is_printable_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c <= 0x7E; });
}

std::string base64(std::string_view bytes) {
    std::string encoded((bytes.size() + 2) / 3 * 4 + 1, '\0'); // libcrypto appends a zero byte
    int length = EVP_EncodeBlock(reinterpret_cast<unsigned char *>(encoded.data()),
                                 reinterpret_cast<const unsigned char *>(bytes.data()), static_cast<int>(bytes.size()));
    encoded.resize(static_cast<std::size_t>(length));
    return encoded;
}

/// Write text as encoded words, one per line, of at most 75 characters each. Characters are not split.
std::string encoded_words(std::string_view text) {
    constexpr std::size_t most_bytes = 42; // 56 in base64, which leaves space for the header name
    std::string result;
    std::string word;
    auto flush = [&] {
        result += (result.empty() ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?") + base64(word) + "?=";
        word.clear();
    };
    while (!text.empty()) {
        std::string character;
        append_character(character, take_character(text));
        if (word.size() + character.size() > most_bytes)
            flush();
        word += character;
    }
    flush();
    return result;
}

std::string hex_escape(unsigned char byte) {
    static constexpr std::string_view digits = "0123456789ABCDEF";
    return {'=', digits[byte >> 4], digits[byte & 15]};
}

/// Encode one line of text, without its line ending.
void append_quoted_printable_line(std::string &out, std::string_view line) {
    constexpr std::size_t longest = 76;
    std::size_t column = 0;
    for (std::size_t i = 0; i < line.size(); i++) {
        auto byte = static_cast<unsigned char>(line[i]);
        bool is_last = i + 1 == line.size();
        bool literal =
            (byte > 0x20 && byte < 0x7F && byte != '=' && !(byte == '.' && column == 0)) || (byte == ' ' && !is_last);
        std::string token = literal ? std::string(1, line[i]) : hex_escape(byte);
        if (column + token.size() > longest - (is_last ? 0 : 1)) {
            out += "=\r\n";
            column = 0;
            token = byte == '.' ? hex_escape(byte) : token;
        }
        out += token;
        column += token.size();
    }
    out += "\r\n";
}

} // namespace

std::string one_line(std::string_view text, std::size_t longest) {
    std::string result;
    for (std::size_t count = 0; !text.empty(); count++) {
        if (count == longest)
            return result + "\xE2\x80\xA6"; // ellipsis
        char32_t character = take_character(text);
        append_character(result, is_unfit_for_line(character) ? U' ' : character);
    }
    return result;
}

std::string plain_header(std::string_view name, std::string_view value) {
    if (!is_printable_ascii(value))
        throw Error(sqlstate::invalid_parameter, "mail header \"" + std::string(name) + "\" must be printable ASCII");
    return std::string(name) + ": " + std::string(value) + "\r\n";
}

std::string text_header(std::string_view name, std::string_view value) {
    constexpr std::size_t longest_as_it_is = 60;
    std::string line = one_line(value);
    bool as_it_is = is_printable_ascii(line) && line.size() <= longest_as_it_is && line.find("=?") == std::string::npos;
    return std::string(name) + ": " + (as_it_is ? line : encoded_words(line)) + "\r\n";
}

std::string mail_date(std::int64_t seconds) {
    static constexpr std::array<const char *, 7> days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array<const char *, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::time_t time = seconds;
    std::tm utc{};
    gmtime_r(&time, &utc);
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%s, %02d %s %d %02d:%02d:%02d +0000", days[utc.tm_wday], utc.tm_mday,
                  months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
    return text.data();
}

std::string quoted_printable(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        std::size_t end = std::min(text.find('\n'), text.size());
        append_quoted_printable_line(result, text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return result;
}

std::string html_escape(std::string_view text) {
    std::string result;
    for (char c : text) {
        switch (c) {
        case '&':
            result += "&amp;";
            break;
        case '<':
            result += "&lt;";
            break;
        case '>':
            result += "&gt;";
            break;
        case '"':
            result += "&quot;";
            break;
        case '\'':
            result += "&#39;";
            break;
        default:
            result.push_back(c);
        }
    }
    return result;
}

} // namespace snapback
