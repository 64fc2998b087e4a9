#pragma once
#include "core/digest.hpp"
#include "restore/plan/table_plan.hpp"

namespace snapback {

// The figures of a table for each option. A row counts for each chosen option whose filter it satisfies in the snapshot
// or now. An updated row counts for an option with columns only if one of these changes. Rows that count for no option,
// such as restored parents, form a part without an option.

/// The figures of the whole table.
Figures figures_of(const TablePlan &plan);
/// The figures of each part, without unchanged rows. Requires the rows of the snapshot.
std::vector<Part> parts_of(Query &query, const TablePlan &plan);
/// Add the number of unchanged rows, which requires reading the table if options have filters, and the digests of the
/// writes; `all` is the digest of the whole table.
void complete_parts(Query &query, const TablePlan &plan, const std::string &community, const Digest &all,
                    std::vector<Part> &parts);
/// A row of the SQL type snapback.plan_figures, as text.
std::string as_row(const Figures &figures);
/// An array of the SQL type snapback.plan_part, as text.
std::string as_array(const std::vector<Part> &parts);
/// Count the rows of a store, as they will be, for each option, and last for none.
std::vector<std::uint64_t> count_by_option(Query &query, const TablePlan &plan, const char *store);

} // namespace snapback
