#pragma once
// A query planned once per session and run as the owner of the table it reads.
#include "postgres/query.hpp"

namespace snapback {

class SavedPlan {
public:
    /// Plan a query on behalf of an owner, in whose name it will run. Needs an open Query.
    SavedPlan(Oid owner, const std::string &sql, std::span<const Oid> parameter_types);
    ~SavedPlan();
    SavedPlan(SavedPlan &&other) noexcept
        : owner_(other.owner_), fixed_settings_(other.fixed_settings_), plan_(std::exchange(other.plan_, nullptr)) {}
    SavedPlan &operator=(SavedPlan &&) = delete;

    /// Append the columns of at most one row, as it is committed now or written by this transaction; policies do not
    /// hide it. Return how many rows there are. Needs an open Query, which the values outlive.
    std::size_t fetch_latest_row(std::span<const Value> parameters, std::vector<Value> &found) const;

    /// Have each run under fixed settings too: where it calls functions that are not Postgres's own.
    void fix_settings() { fixed_settings_ = true; }

private:
    Oid owner_;
    bool fixed_settings_ = false;
    SPIPlanPtr plan_;
};

} // namespace snapback
