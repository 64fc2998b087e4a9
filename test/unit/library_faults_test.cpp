// Library calls fail, as they do if memory is exhausted: this always results in an error.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <zstd.h>

#include <atomic>

#include "core/chunk_packer.hpp"
#include "core/compression.hpp"
#include "core/error.hpp"

using namespace snapback;

namespace {

std::atomic<bool> no_context = false;
std::atomic<bool> no_digest = false;
enum class Compression { right, fails, is_wrong };
std::atomic<Compression> compression = Compression::right;

/// Set one of these while in scope.
template <class Value> class During {
public:
    During(std::atomic<Value> &place, Value value) : place_(place), before_(place.exchange(value)) {}
    ~During() { place_ = before_; }
    During(const During &) = delete;
    During &operator=(const During &) = delete;

private:
    std::atomic<Value> &place_;
    Value before_;
};

/// While in scope, threads cannot be started, because their stacks are too large.
class NoThreads {
public:
    NoThreads() {
        pthread_getattr_default_np(&before_);
        pthread_attr_t huge;
        pthread_attr_init(&huge);
        pthread_attr_setstacksize(&huge, std::size_t{1} << 60);
        pthread_setattr_default_np(&huge);
        pthread_attr_destroy(&huge);
    }
    ~NoThreads() { pthread_setattr_default_np(&before_); }
    NoThreads(const NoThreads &) = delete;
    NoThreads &operator=(const NoThreads &) = delete;

private:
    pthread_attr_t before_;
};

/// Pack some chunks and expect all of them in order.
void packs(ChunkPacker &packer) {
    for (std::uint32_t n = 0; n < 20; n++)
        packer.put(0, n, "chunk " + std::to_string(n));
    for (std::uint32_t n = 0; n < 20; n++) {
        auto chunk = packer.wait();
        ASSERT_TRUE(chunk);
        EXPECT_EQ(chunk->table, n);
        EXPECT_EQ(Compressor().decompress(chunk->frame), "chunk " + std::to_string(n));
    }
    EXPECT_FALSE(packer.wait());
}

} // namespace

extern "C" {
ZSTD_CCtx *__real_ZSTD_createCCtx();
ZSTD_CCtx *__wrap_ZSTD_createCCtx() {
    return no_context ? nullptr : __real_ZSTD_createCCtx();
}
std::size_t __real_ZSTD_compressCCtx(ZSTD_CCtx *, void *, std::size_t, const void *, std::size_t, int);
std::size_t __wrap_ZSTD_compressCCtx(ZSTD_CCtx *context, void *to, std::size_t room, const void *from, std::size_t size,
                                     int level) {
    switch (compression) {
    case Compression::fails:
        return __real_ZSTD_compressCCtx(context, to, 0, from, size, level);
    case Compression::is_wrong:
        return __real_ZSTD_compressCCtx(context, to, room, from, size - 1, level);
    case Compression::right:
        break;
    }
    return __real_ZSTD_compressCCtx(context, to, room, from, size, level);
}
int __real_EVP_Digest(const void *, std::size_t, unsigned char *, unsigned int *, const EVP_MD *, ENGINE *);
int __wrap_EVP_Digest(const void *data, std::size_t count, unsigned char *digest, unsigned int *size,
                      const EVP_MD *type, ENGINE *engine) {
    return no_digest ? 0 : __real_EVP_Digest(data, count, digest, size, type, engine);
}
}

TEST(LibraryFaults, ADigestThatCannotBeComputedIsAnError) {
    During<bool> fault(no_digest, true);
    EXPECT_THROW(sha256("abc"), Error);
}

TEST(LibraryFaults, ACompressorNeedsItsContexts) {
    During<bool> fault(no_context, true);
    EXPECT_THROW(Compressor(), std::bad_alloc);
}

TEST(LibraryFaults, WhatDoesNotCompressIsAnError) {
    Compressor compressor;
    During<Compression> fault(compression, Compression::fails);
    EXPECT_THROW(compressor.compress("content"), Error);
}

TEST(LibraryFaults, WhatWouldNotComeBackIsAnError) {
    Compressor compressor;
    During<Compression> fault(compression, Compression::is_wrong);
    EXPECT_THROW(compressor.compress("content"), Error);
}

TEST(LibraryFaults, APackerWithoutThreadPacksAllTheSame) {
    ChunkPacker packer(ChunkPacker::Known(1));
    NoThreads fault;
    packs(packer);
}

TEST(LibraryFaults, APackerWhoseThreadHasNoMemoryPacksAllTheSame) {
    ChunkPacker packer(ChunkPacker::Known(1));
    During<bool> fault(no_context, true);
    for (std::uint32_t n = 0; n < 20; n++)
        packer.put(0, n, "chunk " + std::to_string(n));
    for (std::uint32_t n = 0; n < 20; n++)
        EXPECT_EQ(packer.wait()->table, n);
}

TEST(LibraryFaults, APackerHandsOnWhatFails) {
    ChunkPacker packer(ChunkPacker::Known(1));
    packer.put(0, 0, "content"); // the first packer in a process hashes something itself
    EXPECT_TRUE(packer.wait());
    During<bool> fault(no_digest, true);
    packer.put(0, 0, "content");
    EXPECT_THROW(packer.wait(), Error);
}
