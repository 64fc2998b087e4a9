#pragma once
// CHECK constraints of tables and domains that call a user-defined function. They may read other rows, which the
// restore may change, so they are checked after all rows have been written.
#include "postgres/exec/deferred_checks.hpp"
#include "restore/plan/table_plan.hpp"

namespace snapback {

/// A table or partition that rows of a table are written to.
struct WritePart {
    struct Check {
        Oid constraint;
        std::string name;
        std::string condition; // over unqualified column names
    };
    Oid relation;
    std::string takes;         // the partition constraint
    std::vector<Check> checks; // those that may read other rows
};

/// The relations that a plan's rows are written to, and the constraints that are deferred to check_state().
struct WriteParts {
    std::vector<WritePart> parts;
    bool apart = false; // insert partition by partition, so that their constraints can be deferred

    ChecksByRelation deferred() const;
};

/// Find the parts of a table that a plan writes to. Constraints of partitions are not deferred if the partitions are
/// too many, have another owner, are foreign or have rules, or if inserted rows take defaults. PostgreSQL then checks
/// them row by row.
WriteParts write_parts(Query &query, const TablePlan &plan);

/// The error for a snapshot value of this column that a domain rejects with the current data, if any.
std::optional<UndoneError> find_refused_by_domain(Query &query, const TablePlan &plan, std::size_t column);

/// Check the deferred constraints for the written rows; throw Error (23514) if one rejects a row.
void check_state(Query &query, const TablePlan &plan);

} // namespace snapback
