#pragma once
#include "restore/plan/table_plan.hpp"

namespace snapback {

/// What no two rows of a table may have in common: a unique index, or an exclusion constraint.
struct Uniqueness {
    std::string name;
    bool unique;         // else an exclusion constraint
    std::string prefix;  // which no column of the table has, for the names below
    std::string columns; // as a message names them
    std::string values;  // "(expression) AS "the key 1", …" over the table
    std::string keys;    // ""the key 1", …"
    std::string clash;   // "s."the key 1" OPERATOR(=) t."the key 1" AND …"
    std::string where;   // which rows it is about
    bool nulls_clash;    // a NULL is the same as another
    Oid index;
};

/// Everything that must be unique in a table, but for what is made of rows as a whole: only the table itself can say.
std::vector<Uniqueness> uniqueness_of(Query &query, Oid relation);

/// A subquery: the keys of those rows that the plan writes whose unique value is held by a row that
/// the plan does not touch, or by another that it writes: the constraint may be a new one, or over columns of which
/// only some are restored. Its column "<prefix>values" tells the value. Run it as the table's owner.
std::string written_rows_in_conflict(Query &query, const TablePlan &plan, const Uniqueness &uniqueness);

/// Name what is in conflict: an obstacle for each unique value.
void find_conflicts(Query &query, TablePlan &plan);

/// Remove from the plan the rows that are in conflict; true where there were any.
bool skip_conflicts(Query &query, TablePlan &plan);

/// Remove from the plan the written rows where a condition over alias `w` holds.
void skip_rows(Query &query, TablePlan &plan, const std::string &condition);

} // namespace snapback
