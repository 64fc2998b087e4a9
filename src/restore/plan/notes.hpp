#pragma once
#include "catalog/foreign_keys.hpp"
#include "restore/plan/table_plan.hpp"

namespace snapback {

// What an owner should know of a plan, in words. No value of any row is in them.

/// "1 row", "7 rows".
std::string rows_in_words(std::uint64_t rows);

/// Rows added since stay, because rows of the key's child refer to them.
std::string kept_note(const ForeignKey &key, std::uint64_t rows, const std::string &way_out);
/// Rows come back beyond the selection, because restored rows refer to them.
std::string parents_note(const ForeignKey &key, std::uint64_t rows);
/// References become NULL, because the row they named is in no snapshot, or is there with another value.
std::string nulled_note(const ForeignKey &key, std::uint64_t rows, std::uint64_t changed);
/// Rows go, or are set to NULL, with the rows that they refer to.
std::string cascaded_note(const ForeignKey &key, std::uint64_t rows);
/// Rows are skipped.
std::string skipped_note(const TablePlan &plan);

} // namespace snapback
