#include "postgres/exec/deferred_checks.hpp"

#include <algorithm>

extern "C" {
#include "executor/executor.h"
#include "nodes/execnodes.h"
#if PG_VERSION_NUM >= 180000
#include "rewrite/rewriteHandler.h"
#endif
}

namespace snapback {

namespace {

ExecutorStart_hook_type start_before = nullptr;
const ChecksByRelation *pending = nullptr; // applies to the next statement that writes to one of the relations

/// Prepare one CHECK constraint as the executor does; a Postgres call.
ExprState *prepare_check(const ConstrCheck &check, [[maybe_unused]] Relation relation, EState *state) {
#if PG_VERSION_NUM >= 180000
    if (!check.ccenforced)
        return nullptr;
    auto *condition = static_cast<Node *>(stringToNode(check.ccbin));
    return ExecPrepareExpr(reinterpret_cast<Expr *>(expand_generated_columns_in_expr(condition, relation, 1)), state);
#else
    return ExecPrepareExpr(static_cast<Expr *>(stringToNode(check.ccbin)), state);
#endif
}

/// Fill in the target's list of CHECK constraints before the executor does. The executor treats an empty entry as
/// satisfied.
void prepare_checks(ResultRelInfo *target, const std::vector<std::string> &deferred, EState *state) {
    Relation relation = target->ri_RelationDesc;
    const TupleConstr *constraints = RelationGetDescr(relation)->constr;
    if (!constraints || constraints->num_check == 0)
        return;
    std::vector<bool> skipped;
    for (int i = 0; i < constraints->num_check; i++)
        skipped.push_back(std::ranges::find(deferred, constraints->check[i].ccname) != deferred.end());
    call([&] {
        MemoryContext before = MemoryContextSwitchTo(state->es_query_cxt);
        auto **checks = static_cast<ExprState **>(palloc0(sizeof(ExprState *) * skipped.size()));
        for (std::size_t i = 0; i < skipped.size(); i++)
            if (!skipped[i])
                checks[i] = prepare_check(constraints->check[i], relation, state);
#if PG_VERSION_NUM >= 180000
        target->ri_CheckConstraintExprs = checks;
#else
        target->ri_ConstraintExprs = checks;
#endif
        MemoryContextSwitchTo(before);
    });
}

/// If the starting statement is the expected one, remove the deferred constraints from it.
void take_statement(const QueryDesc *statement) {
    if (!statement->planstate || !IsA(statement->planstate, ModifyTableState))
        return;
    auto *writer = reinterpret_cast<ModifyTableState *>(statement->planstate);
    const ChecksByRelation *checks = pending;
    for (int i = 0; i < writer->mt_nrels; i++) {
        ResultRelInfo *target = &writer->resultRelInfo[i];
        auto deferred = checks->find(RelationGetRelid(target->ri_RelationDesc));
        if (deferred == checks->end())
            continue;
        pending = nullptr;
        prepare_checks(target, deferred->second, statement->estate);
    }
}

extern "C" void snapback_start_statement(QueryDesc *statement, int flags) {
    if (start_before)
        start_before(statement, flags);
    else
        standard_ExecutorStart(statement, flags);
    if (pending)
        entry([&] { take_statement(statement); });
}

} // namespace

DeferredChecks::DeferredChecks(const ChecksByRelation &checks) {
    pending = checks.empty() ? nullptr : &checks;
}

DeferredChecks::~DeferredChecks() {
    pending = nullptr;
}

void DeferredChecks::watch_statements() {
    start_before = ExecutorStart_hook;
    ExecutorStart_hook = snapback_start_statement;
}

} // namespace snapback
