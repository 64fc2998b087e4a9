#include "core/utf8_text.hpp"

#include <array>

namespace snapback {

namespace {

constexpr char32_t replacement = 0xFFFD;

} // namespace

char32_t take_character(std::string_view &text) {
    auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    unsigned char first = byte(0);
    std::size_t length = first < 0x80   ? 1
                         : first < 0xC2 ? 0
                         : first < 0xE0 ? 2
                         : first < 0xF0 ? 3
                         : first < 0xF5 ? 4
                                        : 0;
    char32_t character = length == 1 ? first : first & (0x7F >> length);
    bool valid = length > 0 && length <= text.size();
    for (std::size_t i = 1; valid && i < length; i++) {
        valid = (byte(i) & 0xC0) == 0x80;
        character = character << 6 | (byte(i) & 0x3F);
    }
    // Reject overlong forms, surrogates, and code points beyond Unicode.
    static constexpr std::array<char32_t, 5> smallest = {0, 0, 0x80, 0x800, 0x10000};
    valid =
        valid && character >= smallest[length] && character <= 0x10FFFF && (character < 0xD800 || character > 0xDFFF);
    text.remove_prefix(valid ? length : 1);
    return valid ? character : replacement;
}

void append_character(std::string &out, char32_t c) {
    if (c < 0x80) {
        out.push_back(static_cast<char>(c));
        return;
    }
    int following = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static constexpr std::array<unsigned char, 4> lead = {0, 0xC0, 0xE0, 0xF0};
    out.push_back(static_cast<char>(lead[following] | c >> (6 * following)));
    while (following-- > 0)
        out.push_back(static_cast<char>(0x80 | (c >> (6 * following) & 0x3F)));
}

std::string valid_utf8(std::string_view text) {
    std::string result;
    while (!text.empty())
        append_character(result, take_character(text));
    return result;
}

} // namespace snapback
