#include "core/token.hpp"

namespace snapback {

std::string token_text(std::span<const unsigned char, token_bytes> random) {
    static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string text;
    unsigned bits = 0;
    int waiting = 0; // number of low bits not yet written
    for (unsigned char byte : random) {
        bits = bits << 8 | byte;
        for (waiting += 8; waiting >= 6; waiting -= 6)
            text.push_back(alphabet[bits >> (waiting - 6) & 63]);
    }
    if (waiting > 0)
        text.push_back(alphabet[bits << (6 - waiting) & 63]);
    return text;
}

Digest token_hash(std::string_view token) {
    return sha256(token);
}

} // namespace snapback
