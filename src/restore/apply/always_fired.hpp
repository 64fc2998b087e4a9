#pragma once
// Triggers and rules that fire although a restore disables triggers, because they are ENABLE ALWAYS or REPLICA.
#include "restore/plan/plan.hpp"

namespace snapback {

/// Set the deferrable constraint triggers that the restore fires (ENABLE ALWAYS or REPLICA, on written tables and their
/// partitions) to IMMEDIATE, as the owners of their tables. Otherwise they would run at commit, with the privileges of
/// the committing role. Nothing fires here: Error (55000) is thrown if an event of one of these constraints is pending,
/// because firing it would run code that the caller's own statements queued. Other constraints keep their mode and
/// their pending events.
void make_constraint_triggers_immediate(Query &query, const Plan &plan);

/// Add an obstacle for each rule that would act on the restore's writes: its statements would run with triggers
/// disabled on every table that they write to.
void find_always_rules(Query &query, TablePlan &plan);

} // namespace snapback
