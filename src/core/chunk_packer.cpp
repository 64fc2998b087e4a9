#include "core/chunk_packer.hpp"

#include <pthread.h>

#include <csignal>
#include <set>
#include <system_error>

namespace snapback {

namespace {

// Limit of queued data. The thread packs queued chunks while the caller reads the next table.
constexpr std::size_t most_held_bytes = 32 * 1024 * 1024;

/// The packers with a running thread. A process may exit without unwinding the stack, as a terminated backend does. The
/// destructor of this static object then stops the threads before the libraries they call shut down.
class RunningPackers {
public:
    RunningPackers() { sha256({}); } // initializes libcrypto first, so that it is torn down last
    ~RunningPackers() {
        for (ChunkPacker *packer : packers_)
            packer->stop();
    }
    void add(ChunkPacker *packer) { packers_.insert(packer); }
    void remove(ChunkPacker *packer) { packers_.erase(packer); }

    static RunningPackers &get() {
        static RunningPackers instance;
        return instance;
    }

private:
    std::set<ChunkPacker *> packers_;
};

/// Blocks every signal while in scope. A thread started in this scope never receives a signal.
class SignalsBlocked {
public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked &) = delete;
    SignalsBlocked &operator=(const SignalsBlocked &) = delete;

private:
    sigset_t before_;
};

} // namespace

ChunkPacker::~ChunkPacker() {
    stop();
    if (started_)
        RunningPackers::get().remove(this);
}

/// Start the thread. If that fails, the caller's thread packs all chunks.
void ChunkPacker::start() {
    started_ = true;
    RunningPackers::get().add(this);
    SignalsBlocked blocked;
    try {
        thread_ = std::thread([this] { work(); });
    } catch (const std::system_error &) {
        return;
    }
}

void ChunkPacker::stop() noexcept {
    if (!thread_.joinable())
        return;
    {
        Lock lock(mutex_);
        stopping_ = true;
    }
    to_do_.notify_one();
    thread_.join();
}

/// Thread main: pack the oldest queued chunk until stopped.
void ChunkPacker::work() {
    Lock lock(mutex_);
    try {
        lock.unlock();
        Compressor compressor;
        lock.lock();
        for (;;) {
            to_do_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
            if (stopping_)
                return;
            Job *job = waiting_.front();
            waiting_.pop_front();
            pack(*job, compressor, lock);
        }
    } catch (const std::bad_alloc &) {
        return; // no chunk was taken yet: the caller packs all of them
    }
}

/// Pack one chunk that no other thread uses. Releases the lock while packing.
void ChunkPacker::pack(Job &job, Compressor &compressor, Lock &lock) {
    lock.unlock();
    std::exception_ptr thrown;
    try {
        job.packed.digest = sha256(job.content);
        lock.lock();
        bool is_new = known_[job.packed.community].insert(job.packed.digest).second;
        lock.unlock();
        if (is_new)
            job.packed.frame = compressor.compress(job.content);
        std::string().swap(job.content);
    } catch (...) {
        thrown = std::current_exception();
    }
    if (!lock.owns_lock())
        lock.lock();
    held_bytes_ -= job.held - job.packed.frame.size();
    job.held = job.packed.frame.size();
    job.thrown = std::move(thrown);
    job.done = true;
    done_.notify_one();
}

void ChunkPacker::put(std::uint32_t community, std::uint32_t table, std::string &&content) {
    if (!started_)
        start();
    auto job = std::make_unique<Job>();
    job->held = content.size();
    job->content = std::move(content);
    job->packed.community = community;
    job->packed.table = table;
    Lock lock(mutex_);
    held_bytes_ += job->held;
    jobs_.push_back(std::move(job));
    if (held_bytes_ > most_held_bytes) {
        Job &own = *jobs_.back();
        pack(own, compressor_, lock);
        if (own.thrown)
            std::rethrow_exception(own.thrown); // immediately: it may be a query cancel
    } else {
        waiting_.push_back(jobs_.back().get());
        to_do_.notify_one();
    }
}

std::optional<PackedChunk> ChunkPacker::take() {
    Lock lock(mutex_);
    return take(lock);
}

std::optional<PackedChunk> ChunkPacker::take(Lock &) {
    if (jobs_.empty() || !jobs_.front()->done)
        return std::nullopt;
    std::unique_ptr<Job> job = std::move(jobs_.front());
    jobs_.pop_front();
    held_bytes_ -= job->held;
    if (job->thrown)
        std::rethrow_exception(job->thrown);
    return std::move(job->packed);
}

std::optional<PackedChunk> ChunkPacker::wait() {
    Lock lock(mutex_);
    while (!jobs_.empty() && !jobs_.front()->done) {
        if (waiting_.empty()) {
            done_.wait(lock);
        } else {
            Job *job = waiting_.front();
            waiting_.pop_front();
            pack(*job, compressor_, lock);
            if (job->thrown)
                std::rethrow_exception(job->thrown);
        }
    }
    return take(lock);
}

} // namespace snapback
