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

/// A SHA-256 digest, 32 bytes.
struct Digest {
    static constexpr std::size_t size = 32;
    std::array<unsigned char, size> bytes{};

    std::string_view view() const { return {reinterpret_cast<const char *>(bytes.data()), size}; }
    auto operator<=>(const Digest &) const = default;
    std::string hex() const;

    /// Take the digest that these 32 bytes are; throws Error (XX001) at any other length.
    static Digest from_bytes(std::string_view bytes);
};

/// Hash the bytes with SHA-256 (FIPS 180-4).
Digest sha256(std::string_view bytes);

/// Hashes bytes that come in pieces.
class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(const Sha256 &) = delete;
    Sha256 &operator=(const Sha256 &) = delete;

    void add(std::string_view bytes);
    /// The digest of all that was added; what is added from then on is hashed anew.
    Digest finish();

private:
    void begin();
    struct Context;
    std::unique_ptr<Context> context_;
};

} // namespace snapback

/// A digest is uniformly distributed already: its first bytes are its hash.
template <> struct std::hash<snapback::Digest> {
    std::size_t operator()(const snapback::Digest &digest) const noexcept {
        std::size_t value;
        std::memcpy(&value, digest.bytes.data(), sizeof value);
        return value;
    }
};
