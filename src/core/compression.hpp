#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace snapback {

/// Append the start of the frame's SHA-256. zstd ignores some bits, such as padding bits; the checksum detects damage
/// to every byte.
std::string seal(std::string &&frame);
/// Check and remove the checksum. Throws Error (XX001) when it does not match.
std::string_view unseal(std::string_view stored);

/// Compresses chunks with zstd, reusing one context. A frame contains its content size and ends with a checksum.
class Compressor {
public:
    Compressor();
    ~Compressor();
    Compressor(const Compressor &) = delete;
    Compressor &operator=(const Compressor &) = delete;

    /// Compress the content and verify that it decompresses to the same bytes. Throws Error (XX000) otherwise.
    std::string compress(std::string_view content);
    /// Decompress the output of `compress`. Throws Error (XX001) when it is corrupted.
    std::string decompress(std::string_view stored);

private:
    struct Contexts;
    std::unique_ptr<Contexts> contexts_;
};

} // namespace snapback
