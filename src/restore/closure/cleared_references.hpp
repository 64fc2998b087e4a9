#pragma once
#include <functional>

#include "catalog/foreign_keys.hpp"
#include "restore/plan/table_plan.hpp"

namespace snapback {

/// Whether a row's columns lead to its community: without them it would belong to none.
bool is_path(const TablePlan &child, const ForeignKey &key, const std::string &column);
/// Whether the foreign key lets these of its columns be set to NULL.
bool can_be_null(const TablePlan &child, const ForeignKey &key,
                 const std::function<bool(const ForeignKey::Pair &)> &meant);
/// Whether the plan can do what ON DELETE SET NULL says.
bool can_be_cleared(const TablePlan &child, const ForeignKey &key);

} // namespace snapback
