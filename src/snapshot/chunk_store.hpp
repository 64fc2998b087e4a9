#pragma once
#include <functional>

#include "core/chunk_packer.hpp"
#include "postgres/query.hpp"

namespace snapback {

/// Keep the sweep of unreferenced chunks out until the transaction ends: whoever refers to chunks calls this first.
void hold_store();
/// Have the store alone until the transaction ends; where that means to wait, do so or return false.
bool take_store(bool wait);

/// Writes chunks of some communities, each content once. Chunks are written in batches; `flush` ends the last one.
class ChunkWriter {
public:
    /// Hears of each chunk's digest, in the order in which they were put.
    using OnStored = std::function<void(std::uint32_t community, std::uint32_t table, const Digest &digest)>;

    ChunkWriter(std::span<const std::string> communities, OnStored on_stored);
    /// Store a chunk of the community with this index unless it is there already. The caller numbers tables as it
    /// likes.
    void put(std::uint32_t community, std::uint32_t table, std::string &&content);
    void flush();

private:
    void take(PackedChunk &&chunk);
    void write_batch();

    std::span<const std::string> communities_;
    OnStored on_stored_;
    ChunkPacker packer_;
    std::vector<std::string> batch_communities_;
    std::vector<std::string> batch_digests_;
    std::vector<std::string> batch_frames_;
    std::size_t batch_bytes_ = 0;
};

/// Reads chunks of one community back, checking each against its digest.
class ChunkReader {
public:
    explicit ChunkReader(std::string community) : community_(std::move(community)) {}
    /// Fetch, decompress and verify one chunk; throws Error (XX001) where it is missing or damaged.
    std::string get(const Digest &digest);

private:
    std::string community_;
    Compressor compressor_;
};

} // namespace snapback
