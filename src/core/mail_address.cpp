#include "core/mail_address.hpp"

#include <algorithm>

namespace snapback {

namespace {

constexpr std::size_t longest_address = 254;
constexpr std::size_t longest_local_part = 64;
constexpr std::size_t longest_label = 63;

bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// Whether the character may occur in an atom (RFC 5322).
bool is_atom_character(char c) {
    return is_alphanumeric(c) || std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

bool is_atom(std::string_view part) {
    return !part.empty() && std::all_of(part.begin(), part.end(), is_atom_character);
}

/// Whether the text is a domain label: letters, digits, and hyphens, without a hyphen at either end.
bool is_label(std::string_view part) {
    return !part.empty() && part.size() <= longest_label && part.front() != '-' && part.back() != '-' &&
           std::all_of(part.begin(), part.end(), [](char c) { return is_alphanumeric(c) || c == '-'; });
}

/// Check each dot-separated part.
bool all_parts(std::string_view text, bool (*is_valid)(std::string_view)) {
    for (;;) {
        std::size_t dot = text.find('.');
        if (!is_valid(text.substr(0, dot)))
            return false;
        if (dot == std::string_view::npos)
            return true;
        text.remove_prefix(dot + 1);
    }
}

} // namespace

bool is_mail_address(std::string_view address) {
    std::size_t at = address.find('@');
    if (at == std::string_view::npos || address.size() > longest_address || at > longest_local_part)
        return false;
    return all_parts(address.substr(0, at), is_atom) && all_parts(address.substr(at + 1), is_label);
}

} // namespace snapback
