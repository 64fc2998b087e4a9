#pragma once
#include <span>
#include <string>
#include <string_view>

#include "core/digest.hpp"

namespace snapback {

/// Size of a secret: 256 random bits.
inline constexpr std::size_t token_bytes = 32;

/// Encode the random bytes as the mailed secret: base64url (RFC 4648) without padding, 43 characters.
std::string token_text(std::span<const unsigned char, token_bytes> random);

/// The SHA-256 of the secret's text; only this is stored.
Digest token_hash(std::string_view token);

} // namespace snapback
