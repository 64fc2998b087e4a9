#pragma once
#include <cstdint>
#include <string>

#include "postgres/error/boundary.hpp"

extern "C" {
#include "utils/backend_status.h"
}

namespace snapback {

/// Shows the progress of a restore in pg_stat_activity, because other sessions cannot see what its transaction writes.
/// The view snapback.restore_progress parses this text.
class Progress {
public:
    Progress(const std::string &restore, const std::string &community)
        : prefix_("snapback: restore " + restore + of_community(community) + ": ") {}

    /// Begin a phase.
    void at(const std::string &step) {
        step_ = step;
        show(step_);
    }
    /// Begin a table of the phase whose rows are not counted one by one.
    void table(const std::string &relation, std::uint64_t rows) {
        begin(relation, rows);
        show(step_ + ": " + rows_of_table_);
    }
    /// Begin a table whose rows are counted one by one.
    void count(const std::string &relation, std::uint64_t rows) {
        begin(relation, rows);
        show_count();
    }
    /// Count one processed row.
    void advance() {
        if (++done_ % rows_between == 0)
            show_count();
    }

private:
    static constexpr std::uint64_t rows_between = 1000;
    // The text is limited to track_activity_query_size bytes, at least 100 and by default 1024.
    static constexpr std::size_t longest_name = 256;

    /// Quote the name of the community. Omit a long name, which would leave no space for the rest.
    static std::string of_community(const std::string &community) {
        if (community.size() > longest_name)
            return {};
        std::string quoted;
        for (char letter : community)
            quoted.append(letter == '"' ? 2 : 1, letter);
        return " of \"" + quoted + "\"";
    }

    void begin(const std::string &relation, std::uint64_t rows) {
        rows_of_table_ = std::to_string(rows) + " rows of " + relation;
        done_ = 0;
    }
    void show_count() { show(step_ + ": " + std::to_string(done_) + " of " + rows_of_table_); }
    void show(const std::string &what) const {
        std::string activity = prefix_ + what;
        call([&] { pgstat_report_activity(STATE_RUNNING, activity.c_str()); });
    }

    std::string prefix_;
    std::string step_;
    std::string rows_of_table_;
    std::uint64_t done_ = 0;
};

} // namespace snapback
