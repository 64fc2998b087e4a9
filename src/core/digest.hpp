#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace snapback {

/// A SHA-256 digest of 32 bytes.
struct Digest {
    static constexpr std::size_t size = 32;
    std::array<unsigned char, size> bytes{};

    std::string_view view() const { return {reinterpret_cast<const char *>(bytes.data()), size}; }
    auto operator<=>(const Digest &) const = default;
    std::string hex() const;

    /// Make a digest of its 32 bytes. Throws Error (XX001) for any other length.
    static Digest from_bytes(std::string_view bytes);
};

/// Compute the SHA-256 (FIPS 180-4) of the bytes.
Digest sha256(std::string_view bytes);

/// Computes the SHA-256 of data added in pieces.
class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(const Sha256 &) = delete;
    Sha256 &operator=(const Sha256 &) = delete;

    void add(std::string_view bytes);
    /// Return the digest of all added data and start a new digest.
    Digest finish();

private:
    void begin();
    struct Context;
    std::unique_ptr<Context> context_;
};

} // namespace snapback

/// A digest is uniformly distributed, so its first bytes serve as its hash.
template <> struct std::hash<snapback::Digest> {
    std::size_t operator()(const snapback::Digest &digest) const noexcept {
        std::size_t value;
        std::memcpy(&value, digest.bytes.data(), sizeof value);
        return value;
    }
};
