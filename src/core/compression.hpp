#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace snapback {

/// Append the start of its own SHA-256 to what is to be stored. zstd reads over some bits, such as those that fill up a
/// byte: only with this is every damaged byte found.
std::string seal(std::string &&frame);
/// Take the seal off again; throws Error (XX001) where it does not match.
std::string_view unseal(std::string_view stored);

/// Compresses chunks with zstd, reusing one context. The frame holds the size of its content, and is sealed.
class Compressor {
public:
    Compressor();
    ~Compressor();
    Compressor(const Compressor &) = delete;
    Compressor &operator=(const Compressor &) = delete;

    /// Compress, decompress again and compare; throws Error (XX000) where the round trip fails.
    std::string compress(std::string_view content);
    /// Decompress what `compress` has made; throws Error (XX001) where it is damaged.
    std::string decompress(std::string_view stored);

private:
    struct Contexts;
    std::unique_ptr<Contexts> contexts_;
};

} // namespace snapback
