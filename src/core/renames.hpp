#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace snapback {

/// Simultaneous renames of a table's columns or an enum's labels: from[i] became to[i]. Names may be swapped.
struct Renames {
    std::int64_t number; ///< increases with time
    std::vector<std::string> from;
    std::vector<std::string> to;
};

/// Apply the renames with a number greater than `seen`, oldest first, and return the current names. A name whose column
/// is gone, because another one took its name, has none.
std::vector<std::optional<std::string>> follow_renames(const std::vector<std::string> &names, std::int64_t seen,
                                                       const std::vector<Renames> &renames);

/// The current state of a snapshot's column.
struct ColumnNow {
    std::optional<std::string> name;   ///< of the column that receives its values, or would if it still existed
    bool replaced = false;             ///< this is another column; the original was renamed or dropped
    std::optional<std::string> former; ///< if replaced: the current name of the original, if it still exists
    bool former_too = false;           ///< the original receives the values too, since no other column claims it
    bool operator==(const ColumnNow &) const = default;
};

/// Match the columns of a snapshot with `live`, the table's columns that accept values. A column matches by name even
/// if it had another name before, because a column can be replaced without downtime by a second column and two renames.
/// If no column has the name, the renames after number `seen` apply.
std::vector<ColumnNow> match_columns(const std::vector<std::string> &names, std::int64_t seen,
                                     const std::vector<Renames> &renames, const std::vector<std::string> &live);

} // namespace snapback
