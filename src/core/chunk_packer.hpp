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

/// What became of a chunk: its digest, and what is to be stored where its content is not known yet.
struct PackedChunk {
    std::uint32_t community; // these two as they were put
    std::uint32_t table;
    Digest digest;
    std::string frame; // empty: this content has been known for this community
};

/// Hashes and compresses chunks in a thread beside the caller's, and gives them back in the order in which they came.
///
/// The thread calls zstd, libcrypto and the standard library only, with every signal blocked. It ends with the packer,
/// whether the packer's work was done or an exception unwinds; and before the process does, if that exits first.
class ChunkPacker {
public:
    using Known = std::vector<std::unordered_set<Digest>>; // by community

    explicit ChunkPacker(Known known) : known_(std::move(known)) {}
    ~ChunkPacker();
    ChunkPacker(const ChunkPacker &) = delete;
    ChunkPacker &operator=(const ChunkPacker &) = delete;

    /// Hand over a chunk. Where too many wait already, the caller's thread packs this one before it returns.
    void put(std::uint32_t community, std::uint32_t table, std::string &&content);
    /// The next chunk, if it is packed; what its packing threw is thrown here.
    std::optional<PackedChunk> take();
    /// The next chunk, helping or waiting until it is packed; none where all have been taken.
    std::optional<PackedChunk> wait();
    /// End the thread; chunks that wait are left to `wait`.
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

    std::mutex mutex_; // guards all below but the compressor and the thread
    std::condition_variable to_do_;
    std::condition_variable done_;
    Known known_;
    std::deque<std::unique_ptr<Job>> jobs_; // in order, until taken
    std::deque<Job *> waiting_;
    std::size_t held_bytes_ = 0; // by all jobs
    bool stopping_ = false;
    bool started_ = false;
    Compressor compressor_; // the caller's
    std::thread thread_;
};

} // namespace snapback
