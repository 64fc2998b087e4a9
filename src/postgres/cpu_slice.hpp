#pragma once
#include <cstdint>
#include <optional>

namespace snapback {

/// Has this session ask Linux for long slices of processor time while it is in scope: as much of it, in fewer pieces.
/// Who asks for shorter ones, as everybody does who does not ask, is then let in as soon as it wakes. As of Linux 6.12
/// (`sched_setattr`, `sched_runtime` of a process that is not real-time); a kernel before that pays no heed.
class LongSlice {
public:
    LongSlice();
    ~LongSlice();
    LongSlice(const LongSlice &) = delete;
    LongSlice &operator=(const LongSlice &) = delete;

private:
    std::optional<std::uint64_t> before_; // nanoseconds; none where the system does not say
};

} // namespace snapback
