#pragma once
#include <functional>

#include "core/chunk_packer.hpp"
#include "postgres/spi/query.hpp"

namespace snapback {

/// Take the store lock in share mode until the transaction ends, before using chunks: it blocks the deletion of chunks.
void hold_store();
/// Take the store lock in exclusive mode until the transaction ends. Without `wait`, return false if it is not
/// available.
bool take_store(bool wait);

/// Writes chunks of some communities, in batches and each content once. `flush` writes the last batch.
class ChunkWriter {
public:
    /// Receives the digest of each chunk, in the order of `put`.
    using OnStored = std::function<void(std::uint32_t community, std::uint32_t table, const Digest &digest)>;

    ChunkWriter(std::span<const std::string> communities, OnStored on_stored);
    /// Without looking up first which chunks the store has: for content that is nearly always new.
    static ChunkWriter of_new_content(std::span<const std::string> communities, OnStored on_stored) {
        return {communities, std::move(on_stored), ChunkPacker::Known(communities.size())};
    }
    /// Store a chunk of the community with this index unless it exists already. `table` is only passed to OnStored.
    void put(std::uint32_t community, std::uint32_t table, std::string &&content);
    void flush();

private:
    ChunkWriter(std::span<const std::string> communities, OnStored on_stored, ChunkPacker::Known known)
        : communities_(communities), on_stored_(std::move(on_stored)), packer_(std::move(known)) {}
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

/// Reads chunks of one community and verifies their digests.
class ChunkReader {
public:
    explicit ChunkReader(std::string community) : community_(std::move(community)) {}
    /// Fetch, decompress and verify one chunk; throws Error (XX001) if it is missing or damaged.
    std::string get(const Digest &digest);

private:
    std::string community_;
    Compressor compressor_;
};

} // namespace snapback
