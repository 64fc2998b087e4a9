#pragma once
#include <csignal>
#include <ctime>

namespace snapback {

/// Has this session sleep for an instant each millisecond while it is in scope, so that others get to run. A process
/// that wakes may else wait until the one that computes has used up its slice: with Linux's scheduler (EEVDF), one
/// processor, and 250 ticks a second, 4 ms. It takes SIGVTALRM meanwhile, which Postgres has no use for; Postgres's own
/// timeouts ask for the time as they fire, too much for a handler that is called so often.
class CpuPace {
public:
    CpuPace();
    ~CpuPace();
    CpuPace(const CpuPace &) = delete;
    CpuPace &operator=(const CpuPace &) = delete;

private:
    timer_t timer_{};
    bool ticks_ = false; // where the system has no timer left, nobody rests
    struct sigaction before_ {};
};

} // namespace snapback
