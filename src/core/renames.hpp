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

} // namespace snapback
