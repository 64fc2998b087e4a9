#pragma once
// What fires although a restore writes with triggers off: triggers and rules that are ENABLE ALWAYS or REPLICA.
#include "restore/plan/plan.hpp"

namespace snapback {

/// Set the deferrable constraint triggers that the restore's writes will fire (those that are ENABLE ALWAYS or
/// REPLICA, on written tables and their partitions) to IMMEDIATE, as their tables' owners: what such a trigger defers
/// would otherwise run at commit, with the rights of whoever commits. Nothing fires here: throws Error (55000) where
/// an event of one of these constraints is pending in the transaction, since firing it would run code that the
/// caller's own statements queued. Other constraints, and events pending for them, stay as the transaction has them.
void make_constraint_triggers_immediate(Query &query, const Plan &plan);

/// Note as an obstacle each rule that would act on the restore's writes: unlike a trigger's function, its statements
/// would run with triggers off, in whatever table they write to.
void find_always_rules(Query &query, TablePlan &plan);

} // namespace snapback
