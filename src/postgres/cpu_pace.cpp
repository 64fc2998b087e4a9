#include "postgres/cpu_pace.hpp"

#include <ctime>

#include "postgres/boundary.hpp"

extern "C" {
#include "miscadmin.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
}

namespace snapback {
namespace {

constexpr int period_ms = 1;

/// Sleep as briefly as can be, within a signal handler; not while this session holds a lock that others may spin or
/// queue for. The handler itself holds interrupts once, each LWLock once more.
void rest() {
    if (InterruptHoldoffCount > 1 || CritSectionCount > 0)
        return;
    timespec instant{0, 1};
    nanosleep(&instant, nullptr);
}

TimeoutId timeout() {
    static const TimeoutId registered = call([] { return RegisterTimeout(USER_TIMEOUT, rest); });
    return registered;
}

} // namespace

CpuPace::CpuPace() {
    TimeoutId id = timeout();
    call([&] { enable_timeout_every(id, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), period_ms), period_ms); });
}

CpuPace::~CpuPace() {
    call_noexcept([] { disable_timeout(timeout(), false); });
}

} // namespace snapback
