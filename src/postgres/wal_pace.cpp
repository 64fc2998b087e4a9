#include "postgres/wal_pace.hpp"

#include "postgres/boundary.hpp"

extern "C" {
#include "access/xlog.h"
#include "executor/instrument.h"
}

namespace snapback {

WalPace::WalPace(std::uint64_t bytes) : bytes_(bytes), flushed_(pgWalUsage.wal_bytes) {}

void WalPace::keep() {
    if (bytes_ == 0 || pgWalUsage.wal_bytes - flushed_ < bytes_)
        return;
    Clock::time_point began = Clock::now();
    if (began < not_before_)
        return;
    call([] { XLogFlush(XactLastRecEnd); });
    Clock::time_point ended = Clock::now();
    flushed_ = pgWalUsage.wal_bytes;
    not_before_ = ended + (ended - began);
}

} // namespace snapback
