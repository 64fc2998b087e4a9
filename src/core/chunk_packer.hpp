#pragma once
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "core/compression.hpp"
#include "core/digest.hpp"

namespace snapback {

/// A packed chunk: its digest, and the compressed frame if the content is new.
struct PackedChunk {
    std::uint32_t community; // this and the table as passed to put()
    std::uint32_t table;
    Digest digest;
    std::string frame; // empty if the community already has this content
};

/// Hashes and compresses chunks in a second thread and returns them in input order.
///
/// The thread calls only zstd, libcrypto and the standard library, with all signals blocked. It ends with the packer,
/// also when an exception unwinds, and before the process exits.
class ChunkPacker {
public:
    using Known = std::vector<std::unordered_set<Digest>>; // by community

    explicit ChunkPacker(Known known) : known_(std::move(known)) {}
    ~ChunkPacker();
    ChunkPacker(const ChunkPacker &) = delete;
    ChunkPacker &operator=(const ChunkPacker &) = delete;

    /// Queue a chunk. If the queue is full, pack the chunk in the caller's thread.
    void put(std::uint32_t community, std::uint32_t table, std::string &&content);
    /// Return the next chunk if it is packed. Rethrow an exception thrown while packing it.
    std::optional<PackedChunk> take();
    /// Return the next chunk, packing it or waiting for it; nothing when all chunks were taken.
    std::optional<PackedChunk> wait();
    /// End the thread. `wait` packs the chunks that are still queued.
    void stop() noexcept;

private:
    struct Job {
        std::string content;
        PackedChunk packed;
        std::size_t held = 0; // bytes
        bool done = false;
        std::exception_ptr thrown;
    };
    using Lock = std::unique_lock<std::mutex>;

    void start();
    void work();
    void pack(Job &job, Compressor &compressor, Lock &lock);
    std::optional<PackedChunk> take(Lock &lock);

    std::mutex mutex_; // protects all members below except the compressor and the thread
    std::condition_variable to_do_;
    std::condition_variable done_;
    Known known_;
    std::deque<std::unique_ptr<Job>> jobs_; // in input order, until taken
    std::deque<Job *> waiting_;
    std::size_t held_bytes_ = 0; // of all jobs
    bool stopping_ = false;
    bool started_ = false;
    Compressor compressor_; // the caller's
    std::thread thread_;
};

} // namespace snapback
