#include "postgres/cpu_pace.hpp"

#include <cerrno>

#include "postgres/postgres.hpp"

extern "C" {
#include "miscadmin.h"
}

namespace snapback {
namespace {

constexpr timespec period{0, 1'000'000};

/// Sleep as briefly as can be, within a signal handler; not while this session holds a lock that others may spin or
/// queue for: each LWLock holds interrupts.
void rest(int /*signal*/) {
    if (InterruptHoldoffCount > 0 || CritSectionCount > 0)
        return;
    int error = errno;
    timespec instant{0, 1};
    nanosleep(&instant, nullptr);
    errno = error;
}

} // namespace

CpuPace::CpuPace() {
    struct sigaction action {};
    action.sa_handler = rest;
    action.sa_flags = SA_RESTART;
    sigaction(SIGVTALRM, &action, &before_);
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGVTALRM;
    ticks_ = timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0;
    if (ticks_) {
        itimerspec each{period, period};
        timer_settime(timer_, 0, &each, nullptr);
    }
}

CpuPace::~CpuPace() {
    if (ticks_)
        timer_delete(timer_); // a last signal is delivered before this returns
    sigaction(SIGVTALRM, &before_, nullptr);
}

} // namespace snapback
