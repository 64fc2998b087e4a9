#pragma once
#include "catalog/foreign_keys.hpp"
#include "restore/plan/table_plan.hpp"

namespace snapback {

// Notes of a plan for the owner. They contain no values of rows.

/// "1 row", "7 rows".
std::string rows_in_words(std::uint64_t rows);

/// Added rows remain because rows of the key's child refer to them.
std::string kept_note(const ForeignKey &key, std::uint64_t rows, const std::string &way_out);
/// Rows outside the selection are restored because restored rows refer to them.
std::string parents_note(const ForeignKey &key, std::uint64_t rows);
/// References are set to NULL because the referenced row is not in the snapshot, or exists with another value.
std::string nulled_note(const ForeignKey &key, std::uint64_t rows, std::uint64_t changed);
/// Rows are deleted or set to NULL with the rows that they refer to.
std::string cascaded_note(const ForeignKey &key, std::uint64_t rows);
/// Rows are skipped.
std::string skipped_note(const TablePlan &plan);

} // namespace snapback
