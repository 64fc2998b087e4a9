#pragma once
#include "restore/table_plan.hpp"

namespace snapback {

/// What no two rows of a table may have in common: a unique index, or an exclusion constraint.
struct Uniqueness {
    std::string name;
    bool unique; // else an exclusion constraint
    bool deferrable;
    bool by_equality;    // values clash where they are equal: hashing finds such rows
    std::string columns; // as a message names them
    std::string values;  // "(expression) AS "key 1", …" over the table
    std::string clash;   // "s."key 1" OPERATOR(=) t."key 1" AND …"
    std::string where;   // which rows it is about
};

/// Everything that must be unique in a table.
std::vector<Uniqueness> uniqueness_of(Query &query, Oid relation);

/// A subquery: the rows that the plan writes whose unique value is held by a row that the plan does not touch, or by
/// another one that it writes; "the row" tells which it is. Run it as the table's owner.
std::string written_rows_in_conflict(Query &query, const TablePlan &plan, const Uniqueness &uniqueness);

/// Name what is in conflict: an obstacle for each unique value.
void find_conflicts(Query &query, TablePlan &plan);

/// Leave out of the plan the rows that are in conflict; true where there were any.
bool leave_conflicts(Query &query, TablePlan &plan);

/// Leave out of the plan the written rows where a condition over alias `w` holds.
void leave_out(Query &query, TablePlan &plan, const std::string &condition);

} // namespace snapback
