#pragma once
// Constraints that may read more than the row they are about: CHECKs, of tables and of domains, that call a function of
// somebody's. What they say depends on other rows, which the restore may be about to change, so they are judged on the
// rows as they are once everything has been written.
#include "postgres/exec/deferred_checks.hpp"
#include "restore/plan/table_plan.hpp"

namespace snapback {

/// A relation that holds rows of a table: the table itself, or one of its partitions.
struct WritePart {
    struct Check {
        Oid constraint;
        std::string name;
        std::string condition; // over bare column names
    };
    Oid relation;
    std::string takes;         // the condition under which a partition takes a row
    std::vector<Check> checks; // those that may read other rows
};

/// Where a plan's rows are written, and which constraints are left to check_state() meanwhile.
struct WriteParts {
    std::vector<WritePart> parts;
    bool apart = false; // rows are to be inserted partition by partition, for their constraints to be left

    ChecksByRelation deferred() const;
};

/// Find the parts of a table that a plan writes to. Constraints of partitions cannot be left where these are too many,
/// another owner's, foreign or with rules, or where their rows take defaults: then Postgres checks them row by row.
WriteParts write_parts(Query &query, const TablePlan &plan);

/// A value of the snapshot in this column that a domain refuses, as the data are now: what Postgres says of it.
std::optional<UndoneError> find_refused_by_domain(Query &query, const TablePlan &plan, std::size_t column);

/// Check the constraints that were left, on the rows that were written; throw Error (23514) where one refuses a row.
void check_state(Query &query, const TablePlan &plan);

} // namespace snapback
