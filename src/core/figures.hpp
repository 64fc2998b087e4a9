#pragma once
// The row counts of a restore or of its plan.
#include <array>
#include <cstdint>

namespace snapback {

/// The row counts of a table or a part of it: the SQL type snapback.plan_figures.
struct Figures {
    std::uint64_t inserts = 0;
    std::uint64_t updates = 0;
    std::uint64_t deletes = 0;
    std::uint64_t unchanged = 0; ///< rows that do not change
    std::uint64_t kept = 0;      ///< added rows that remain because others refer to them
    std::uint64_t parents = 0;   ///< inserted rows outside the selection
    std::uint64_t nulled = 0;    ///< references that are set to NULL
    std::uint64_t cascaded = 0;  ///< rows outside the selection that are deleted or set to NULL
    std::uint64_t skipped = 0;   ///< rows that are not restored
};

/// The members, in the order of the columns of snapback.plan_figures.
inline constexpr std::array all_figures{&Figures::inserts,   &Figures::updates,  &Figures::deletes,
                                        &Figures::unchanged, &Figures::kept,     &Figures::parents,
                                        &Figures::nulled,    &Figures::cascaded, &Figures::skipped};

} // namespace snapback
