#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace snapback {

/// Columns of one table that were found renamed together; from[i] became to[i], all at once, so that names may swap.
struct ColumnRenames {
    std::int64_t number; ///< later ones have greater numbers
    std::vector<std::string> from;
    std::vector<std::string> to;
};

/// Follow columns by the renames, oldest first, that came after number `seen`: each one's name now. A column whose name
/// another one has taken is gone, and has none.
std::vector<std::optional<std::string>> follow_renames(const std::vector<std::string> &names, std::int64_t seen,
                                                       const std::vector<ColumnRenames> &renames);

} // namespace snapback
