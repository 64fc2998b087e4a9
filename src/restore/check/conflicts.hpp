#pragma once
#include "restore/plan/table_plan.hpp"

namespace snapback {

/// A unique index or an exclusion constraint of a table.
struct Uniqueness {
    std::string name;
    bool unique;         // else an exclusion constraint
    std::string prefix;  // of the names below, which no column of the table has
    std::string columns; // for messages
    std::string values;  // "(expression) AS "the key 1", …" over the table
    std::string keys;    // ""the key 1", …"
    std::string clash;   // "s."the key 1" OPERATOR(=) t."the key 1" AND …"
    std::string where;   // the predicate of the index
    bool nulls_clash;    // NULLS NOT DISTINCT
    Oid index;
};

/// Find all unique indexes and exclusion constraints of a table, except those over whole rows.
std::vector<Uniqueness> uniqueness_of(Query &query, Oid relation);

/// A subquery with the keys of rows that the plan writes and whose unique value another row holds. The other row may be
/// outside the plan, or written by it too, because the constraint may be new, or only some of its columns are restored.
/// The column "<prefix>values" contains the value. Run it as the table's owner.
std::string written_rows_in_conflict(Query &query, const TablePlan &plan, const Uniqueness &uniqueness);

/// Add an obstacle for each unique index or exclusion constraint with conflicts.
void find_conflicts(Query &query, TablePlan &plan);

/// Remove conflicting rows from the plan; return whether there were any.
bool skip_conflicts(Query &query, TablePlan &plan);

/// Remove the written rows that satisfy a condition over alias `w` from the plan.
void skip_rows(Query &query, TablePlan &plan, const std::string &condition);

} // namespace snapback
