#pragma once
#include "core/digest.hpp"
#include "restore/plan/table_plan.hpp"

namespace snapback {

// A table's figures, option by option. A row counts under each chosen option whose filter it meets, as it was or as it
// is; a changed row under an option with columns only if one of those changes. What counts under none, such as rows
// that come back because others refer to them, is a part without an option.

/// All figures of a table together.
Figures figures_of(const TablePlan &plan);
/// The same part by part, but for the rows that stay as they are. It needs the rows of the snapshot.
std::vector<Part> parts_of(Query &query, const TablePlan &plan);
/// Add how many rows stay as they are, which takes reading the table where options have filters, and the digests of
/// what is written; `all` is that of the whole table.
void complete_parts(Query &query, const TablePlan &plan, const std::string &community, const Digest &all,
                    std::vector<Part> &parts);
/// The parts as a jsonb array of objects: option (or null), the figures, and the digest where there is one.
std::string as_json(const std::vector<Part> &parts);
/// How many of the rows of a store, as they will be, count under each option; and last, how many under none.
std::vector<std::uint64_t> count_by_option(Query &query, const TablePlan &plan, const char *store);

} // namespace snapback
