#include "postgres/exec/invalidation.hpp"

extern "C" {
#include "utils/inval.h"
}

namespace snapback {

namespace {

void relation_changed(Datum listener, Oid relation) {
    reinterpret_cast<RelationListener>(listener)(relation);
}

void transaction_event(XactEvent event, void *listener) {
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
        reinterpret_cast<TransactionListener>(listener)();
}

void before_commit(XactEvent event, void *listener) {
    if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
        entry([&] { reinterpret_cast<CommitListener>(listener)(); });
}

void subtransaction_event(SubXactEvent event, SubTransactionId ended, SubTransactionId, void *listener) {
    if (event == SUBXACT_EVENT_ABORT_SUB)
        reinterpret_cast<RollbackListener>(listener)(ended);
}

} // namespace

void hear_of_relations(RelationListener listener) {
    call([&] { CacheRegisterRelcacheCallback(relation_changed, reinterpret_cast<Datum>(listener)); });
}

void hear_of_transaction_ends(TransactionListener listener) {
    call([&] { RegisterXactCallback(transaction_event, reinterpret_cast<void *>(listener)); });
}

void hear_of_commits(CommitListener listener) {
    call([&] { RegisterXactCallback(before_commit, reinterpret_cast<void *>(listener)); });
}

void hear_of_rollbacks(RollbackListener listener) {
    call([&] { RegisterSubXactCallback(subtransaction_event, reinterpret_cast<void *>(listener)); });
}

void accept_invalidations() {
    call([] { AcceptInvalidationMessages(); });
}

void invalidate_relation(Oid relation) {
    call([&] { CacheInvalidateRelcacheByRelid(relation); });
}

} // namespace snapback
