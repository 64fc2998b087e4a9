#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace snapback {

/// Compresses chunks with zstd, reusing one context. The frame holds the size of its content.
class Compressor {
public:
    Compressor();
    ~Compressor();
    Compressor(const Compressor &) = delete;
    Compressor &operator=(const Compressor &) = delete;

    /// Compress, decompress again and compare; throws Error (XX000) where the round trip fails.
    std::string compress(std::string_view content);
    /// Decompress one frame; throws Error (XX001) where it is damaged.
    std::string decompress(std::string_view frame);

private:
    struct Contexts;
    std::unique_ptr<Contexts> contexts_;
};

} // namespace snapback
