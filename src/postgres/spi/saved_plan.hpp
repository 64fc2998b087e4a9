#pragma once
// A query that is planned once per session and runs as the owner of its table.
#include "postgres/spi/query.hpp"

namespace snapback {

class SavedPlan {
public:
    /// Plan a query that runs as the owner. Needs an open Query.
    SavedPlan(Oid owner, const std::string &sql, std::span<const Oid> parameter_types);
    ~SavedPlan();
    SavedPlan(SavedPlan &&other) noexcept
        : owner_(other.owner_), fixed_settings_(other.fixed_settings_), plan_(std::exchange(other.plan_, nullptr)) {}
    SavedPlan &operator=(SavedPlan &&) = delete;

    /// Append the columns of at most one row, as committed now or written by this transaction; policies do not hide it.
    /// Return the number of rows. Needs an open Query, which the values outlive.
    std::size_t fetch_latest_row(std::span<const Value> parameters, std::vector<Value> &found) const;
    /// The same, as if this transaction had written nothing.
    std::size_t fetch_earlier_row(std::span<const Value> parameters, std::vector<Value> &found) const;

    /// Run with fixed settings too, because the query calls functions that are not built in.
    void fix_settings() { fixed_settings_ = true; }

private:
    std::size_t fetch(std::span<const Value> parameters, bool earlier, std::vector<Value> &found) const;

    Oid owner_;
    bool fixed_settings_ = false;
    SPIPlanPtr plan_;
};

} // namespace snapback
