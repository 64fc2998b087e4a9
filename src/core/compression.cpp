#include "core/compression.hpp"

#include <zstd.h>

#include <algorithm>
#include <new>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/slices.hpp"

namespace snapback {

namespace {
// Level 2 stores rows in about 10 % less space than gzip. Level 3 saves another 2 % and takes 10 % longer. Level 1 is
// no faster when a second core is free.
constexpr int level = 2;
// Maximum size of a bytea value. A frame that declares more is corrupted.
constexpr unsigned long long largest_content = 1ULL << 30;
constexpr std::size_t seal_size = 8;
} // namespace

std::string seal(std::string &&frame) {
    Digest digest = sha256(frame);
    frame.append(digest.view().substr(0, seal_size));
    return std::move(frame);
}

std::string_view unseal(std::string_view stored) {
    if (stored.size() < seal_size)
        throw Error(sqlstate::data_corrupted, "chunk is shorter than its checksum");
    std::string_view frame = stored.substr(0, stored.size() - seal_size);
    if (sha256(frame).view().substr(0, seal_size) != stored.substr(frame.size()))
        throw Error(sqlstate::data_corrupted, "chunk does not match its stored checksum");
    return frame;
}

struct Compressor::Contexts {
    std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> compress{ZSTD_createCCtx(), ZSTD_freeCCtx};
    std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> decompress{ZSTD_createDCtx(), ZSTD_freeDCtx};
    Contexts() {
        if (!compress || !decompress)
            throw std::bad_alloc();
    }
};

Compressor::Compressor() : contexts_(std::make_unique<Contexts>()) {}
Compressor::~Compressor() = default;

namespace {

std::size_t compressed(std::size_t code) {
    if (ZSTD_isError(code))
        throw Error(sqlstate::internal_error, std::string("could not compress chunk: ") + ZSTD_getErrorName(code));
    return code;
}

std::size_t decompressed(std::size_t code) {
    if (ZSTD_isError(code))
        throw Error(sqlstate::data_corrupted, std::string("could not decompress chunk: ") + ZSTD_getErrorName(code));
    return code;
}

std::string compress_at_once(ZSTD_CCtx *context, std::string_view content) {
    std::string frame(ZSTD_compressBound(content.size()), '\0');
    frame.resize(
        compressed(ZSTD_compressCCtx(context, frame.data(), frame.size(), content.data(), content.size(), level)));
    return frame;
}

/// Compress large content, checking for interrupts between slices.
std::string compress_in_slices(ZSTD_CCtx *context, std::string_view content) {
    compressed(ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters));
    compressed(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level));
    compressed(ZSTD_CCtx_setPledgedSrcSize(context, content.size()));
    std::string frame;
    frame.reserve(ZSTD_compressBound(content.size()) + seal_size);
    std::size_t done = 0;
    for_each_slice(content, [&](std::string_view slice) {
        done += slice.size();
        ZSTD_EndDirective directive = done == content.size() ? ZSTD_e_end : ZSTD_e_continue;
        ZSTD_inBuffer in{slice.data(), slice.size(), 0};
        for (bool more = true; more;) {
            std::size_t size = frame.size();
            frame.resize(size + ZSTD_CStreamOutSize());
            ZSTD_outBuffer out{frame.data() + size, frame.size() - size, 0};
            std::size_t left = compressed(ZSTD_compressStream2(context, &out, &in, directive));
            frame.resize(size + out.pos);
            more = directive == ZSTD_e_end ? left > 0 : in.pos < in.size;
        }
    });
    return frame;
}

/// Decompress a large frame in pieces, checking for interrupts between slices.
template <class Take> void decompress_in_slices(ZSTD_DCtx *context, std::string_view frame, Take &&take) {
    decompressed(ZSTD_DCtx_reset(context, ZSTD_reset_session_only));
    std::string piece(ZSTD_DStreamOutSize(), '\0');
    std::size_t left = 1;
    std::size_t since_pause = 0; // a small input can expand to a large output
    for_each_slice(frame, [&](std::string_view slice) {
        ZSTD_inBuffer in{slice.data(), slice.size(), 0};
        bool is_full = true;
        while (left > 0 && (in.pos < in.size || is_full)) {
            ZSTD_outBuffer out{piece.data(), piece.size(), 0};
            left = decompressed(ZSTD_decompressStream(context, &out, &in));
            is_full = out.pos == out.size;
            take(std::string_view(piece).substr(0, out.pos));
            since_pause += out.pos;
            if (since_pause > slice_size && between_slices) {
                between_slices();
                since_pause = 0;
            }
        }
        if (left == 0 && in.pos < in.size)
            throw Error(sqlstate::data_corrupted, "chunk contains more than one zstd frame");
    });
    if (left > 0)
        throw Error(sqlstate::data_corrupted, "could not decompress chunk: unexpected end of data");
}

/// The content size that the frame declares.
std::size_t content_size(std::string_view frame) {
    unsigned long long size = ZSTD_getFrameContentSize(frame.data(), frame.size());
    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > largest_content)
        throw Error(sqlstate::data_corrupted, "chunk is not a zstd frame of known size");
    return size;
}

std::string content_of(ZSTD_DCtx *context, std::string_view frame) {
    std::size_t size = content_size(frame);
    std::string content;
    if (size > slice_size) {
        content.reserve(size);
        decompress_in_slices(context, frame, [&content](std::string_view piece) { content.append(piece); });
    } else {
        content.resize(size);
        content.resize(
            decompressed(ZSTD_decompressDCtx(context, content.data(), content.size(), frame.data(), frame.size())));
    }
    if (content.size() != size)
        throw Error(sqlstate::data_corrupted, "chunk does not decompress to its declared size");
    return content;
}

/// Whether a frame decompresses to this content. Large content is compared in pieces.
bool is_frame_of(ZSTD_DCtx *context, std::string_view frame, std::string_view content) {
    if (content.size() <= slice_size)
        return content_of(context, frame) == content;
    bool is_same = content_size(frame) == content.size();
    decompress_in_slices(context, frame, [&](std::string_view piece) {
        is_same = is_same && content.substr(0, piece.size()) == piece;
        content.remove_prefix(std::min(piece.size(), content.size()));
    });
    return is_same && content.empty();
}

} // namespace

std::string Compressor::compress(std::string_view content) {
    std::string frame = content.size() > slice_size ? compress_in_slices(contexts_->compress.get(), content)
                                                    : compress_at_once(contexts_->compress.get(), content);
    if (!is_frame_of(contexts_->decompress.get(), frame, content))
        throw Error(sqlstate::internal_error, "compressed chunk does not decompress to its original content");
    return seal(std::move(frame));
}

std::string Compressor::decompress(std::string_view stored) {
    return content_of(contexts_->decompress.get(), unseal(stored));
}

} // namespace snapback
