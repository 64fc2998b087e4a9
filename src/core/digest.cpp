#include "core/digest.hpp"

#include <openssl/evp.h>

#include "core/error.hpp"

namespace snapback {

Digest Digest::from_bytes(std::string_view bytes) {
    if (bytes.size() != size)
        throw Error(sqlstate::data_corrupted, "a SHA-256 digest has 32 bytes, not " + std::to_string(bytes.size()));
    Digest digest;
    std::memcpy(digest.bytes.data(), bytes.data(), size);
    return digest;
}

std::string Digest::hex() const {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    for (unsigned char byte : bytes) {
        out.push_back(digits[byte >> 4]);
        out.push_back(digits[byte & 15]);
    }
    return out;
}

Digest sha256(std::string_view bytes) {
    // Looking the algorithm up anew for each digest costs more than hashing a small chunk.
    static const EVP_MD *const algorithm = EVP_sha256();
    Digest digest;
    if (EVP_Digest(bytes.data(), bytes.size(), digest.bytes.data(), nullptr, algorithm, nullptr) != 1)
        throw Error(sqlstate::internal_error, "libcrypto could not compute a SHA-256 digest");
    return digest;
}

} // namespace snapback
