#pragma once
#include <functional>

#include "catalog/foreign_keys.hpp"
#include "restore/plan/table_plan.hpp"

namespace snapback {

/// Whether a column is on the path to the community.
bool is_path(const TablePlan &child, const ForeignKey &key, const std::string &column);
/// Whether the foreign key allows these columns to be NULL.
bool can_be_null(const TablePlan &child, const ForeignKey &key,
                 const std::function<bool(const ForeignKey::Pair &)> &meant);
/// Whether the plan can apply ON DELETE SET NULL.
bool can_be_cleared(const TablePlan &child, const ForeignKey &key);

} // namespace snapback
