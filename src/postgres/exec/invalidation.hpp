#pragma once
// Notifications of relation changes (from any session, after commit) and of this session's transaction ends.
#include "postgres/error/boundary.hpp"

namespace snapback {

/// Called with the changed relation, or InvalidOid for any relation. It can run at any time, so it must only set flags:
/// no allocation, no free, no table access.
using RelationListener = void (*)(Oid relation) noexcept;
/// Register a listener for relation changes; called once per listener at load.
void hear_of_relations(RelationListener listener);

/// Called at the end of each transaction, with the same restrictions.
using TransactionListener = void (*)() noexcept;
void hear_of_transaction_ends(TransactionListener listener);

/// Called as the last step before each commit or prepare. It may throw; the transaction then aborts.
using CommitListener = void (*)();
void hear_of_commits(CommitListener listener);

/// Called when a subtransaction is rolled back. Later subtransactions of it have higher numbers and are rolled back
/// too. It must not access tables.
using RollbackListener = void (*)(SubTransactionId rolled_back) noexcept;
void hear_of_rollbacks(RollbackListener listener);

/// Process pending invalidation messages; cheap if there are none.
void accept_invalidations();
/// Send an invalidation of the relation to every session at commit, and to this session at its next command.
void invalidate_relation(Oid relation);

} // namespace snapback
