#pragma once
#include <chrono>
#include <cstdint>

namespace snapback {

/// Has what this session writes to the WAL put on disk a little at a time. A commit of others has to flush all WAL
/// before it, and would wait for what had piled up. Syncing takes half of the time at most, however slow the disk.
class WalPace {
public:
    /// Sync once this session has written `bytes` more; 0: leave it to others, as Postgres does.
    explicit WalPace(std::uint64_t bytes);
    /// Sync, if enough has come together; to be called often, while no page is locked. A disk that fails is a PANIC.
    void keep();

private:
    using Clock = std::chrono::steady_clock;

    std::uint64_t bytes_;
    std::uint64_t synced_; // of what this session has written since it began
    Clock::time_point not_before_;
};

} // namespace snapback
