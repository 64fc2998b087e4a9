#pragma once
#include <span>
#include <string>
#include <string_view>

#include "core/digest.hpp"

namespace snapback {

/// Random bytes in a secret: 256 bits.
inline constexpr std::size_t token_bytes = 32;

/// Write the random bytes as the secret that is mailed: base64url (RFC 4648) without padding, 43 characters.
std::string token_text(std::span<const unsigned char, token_bytes> random);

/// What is kept of a secret: the SHA-256 of its text.
Digest token_hash(std::string_view token);

} // namespace snapback
