#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace snapback {

/// Names that were found changed together, of a table's columns or an enum's labels; from[i] became to[i], all at once,
/// so that names may swap.
struct Renames {
    std::int64_t number; ///< later ones have greater numbers
    std::vector<std::string> from;
    std::vector<std::string> to;
};

/// Follow names through the renames, oldest first, that came after number `seen`: what each is called now. What had a
/// name that another one has taken is gone, and has none.
std::vector<std::optional<std::string>> follow_renames(const std::vector<std::string> &names, std::int64_t seen,
                                                       const std::vector<Renames> &renames);

/// What a column of a snapshot is now.
struct ColumnNow {
    std::optional<std::string> name;   ///< of the column that takes its values, or would if it still existed
    bool replaced = false;             ///< that is not the column it was then, which was renamed or dropped
    std::optional<std::string> former; ///< where it is not: what that one is called now, if it still exists
    bool former_too = false;           ///< whether that one takes the values as well, since no other column's are its
    bool operator==(const ColumnNow &) const = default;
};

/// Match the columns of a snapshot with `live`, those of the table that take values now. The column that has the
/// snapshot's name is that column, also when it had another name before: a column is replaced without downtime by a
/// second one and two renames. Where no column has the name, renames after number `seen` are followed.
std::vector<ColumnNow> match_columns(const std::vector<std::string> &names, std::int64_t seen,
                                     const std::vector<Renames> &renames, const std::vector<std::string> &live);

} // namespace snapback
