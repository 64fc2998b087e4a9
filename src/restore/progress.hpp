#pragma once
#include <string>

#include "postgres/boundary.hpp"

extern "C" {
#include "utils/backend_status.h"
}

namespace snapback {

/// Shows in pg_stat_activity, and so in snapback.restore_progress, how far a restore is: other sessions cannot see what
/// its transaction writes.
class Progress {
public:
    explicit Progress(std::string restore) : restore_(std::move(restore)) {}
    void at(const std::string &step) const {
        std::string activity = "snapback: restore " + restore_ + ": " + step;
        call([&] { pgstat_report_activity(STATE_RUNNING, activity.c_str()); });
    }

private:
    std::string restore_;
};

} // namespace snapback
