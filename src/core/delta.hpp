#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/sortable_key.hpp"

namespace snapback {

/// A change of one row since a base.
struct Change {
    std::string_view key; ///< in sortable form
    std::string_view row; ///< in stored form, as it is after the change; empty if the row was removed
};

/// Writes the changes of a community's tables as deltas: pieces that are stored like chunks (docs/format.md).
class DeltaWriter {
public:
    /// A delta closes when it reaches this size in bytes.
    static constexpr std::size_t target = 1024 * 1024;

    /// Begin the changes of the next table.
    void begin(std::int32_t table);
    /// Add a change. The keys of a table must ascend.
    void add(const Change &change);
    /// Return the deltas, none if there was no change.
    std::vector<std::string> finish();

private:
    void close_table();
    void close_delta();

    std::vector<std::string> deltas_;
    std::string delta_;
    std::int32_t table_ = 0;
    std::string changes_; // of the current table, since the current delta began
    std::uint64_t count_ = 0;
};

/// Visit the changes in a delta, by table and key. Throws Error (XX001) if the delta is malformed.
void for_each_change(std::string_view delta,
                     const std::function<void(std::int32_t table, const Change &change)> &visit);

/// Apply changes, ordered by key, to the rows of a chunk. An empty string stands for a chunk without rows; return a
/// chunk, possibly without rows.
std::string apply_changes(std::string_view chunk, KeyReader &keys, std::span<const Change> changes);

} // namespace snapback
