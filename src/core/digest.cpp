#include "core/digest.hpp"

#include <openssl/evp.h>

#include <new>

#include "core/error.hpp"
#include "core/slices.hpp"

namespace snapback {

Digest Digest::from_bytes(std::string_view bytes) {
    if (bytes.size() != size)
        throw Error(sqlstate::data_corrupted, "SHA-256 digest must have 32 bytes, not " + std::to_string(bytes.size()));
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

namespace {

/// Cached: looking up the algorithm costs more than hashing a small chunk.
const EVP_MD *algorithm() {
    static const EVP_MD *const found = EVP_sha256();
    return found;
}

void require_success(int code) {
    if (code != 1)
        throw Error(sqlstate::internal_error, "libcrypto could not compute a SHA-256 digest");
}

} // namespace

Digest sha256(std::string_view bytes) {
    Digest digest;
    if (bytes.size() <= slice_size) {
        require_success(EVP_Digest(bytes.data(), bytes.size(), digest.bytes.data(), nullptr, algorithm(), nullptr));
        return digest;
    }
    Sha256 hash;
    hash.add(bytes);
    return hash.finish();
}

struct Sha256::Context {
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest{EVP_MD_CTX_new(), EVP_MD_CTX_free};
    Context() {
        if (!digest)
            throw std::bad_alloc();
    }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
    begin();
}

Sha256::~Sha256() = default;

void Sha256::begin() {
    require_success(EVP_DigestInit_ex(context_->digest.get(), algorithm(), nullptr));
}

void Sha256::add(std::string_view bytes) {
    for_each_slice(bytes, [this](std::string_view slice) {
        require_success(EVP_DigestUpdate(context_->digest.get(), slice.data(), slice.size()));
    });
}

Digest Sha256::finish() {
    Digest digest;
    require_success(EVP_DigestFinal_ex(context_->digest.get(), digest.bytes.data(), nullptr));
    begin();
    return digest;
}

} // namespace snapback
