#pragma once

namespace snapback {

/// Has this session sleep for an instant each millisecond while it is in scope, so that others get to run. A process
/// that wakes may else wait until the one that computes has used up its slice: with Linux's scheduler (EEVDF), one
/// processor, and 250 ticks a second, 4 ms.
class CpuPace {
public:
    CpuPace();
    ~CpuPace();
    CpuPace(const CpuPace &) = delete;
    CpuPace &operator=(const CpuPace &) = delete;
};

} // namespace snapback
