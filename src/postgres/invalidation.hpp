#pragma once
// Hear of changes: of relations (from any session, once committed) and of the end of this session's transactions.
#include "postgres/boundary.hpp"

namespace snapback {

/// Called with the relation that changed, InvalidOid for "any". May come at any moment, so it must only take a note:
/// allocate nothing, free nothing, read no table.
using RelationListener = void (*)(Oid relation) noexcept;
/// Have every change of a relation reported to this session from now on; called once per listener, at load.
void hear_of_relations(RelationListener listener);

/// Called at the end of each transaction; the same restrictions hold.
using TransactionListener = void (*)() noexcept;
void hear_of_transaction_ends(TransactionListener listener);

/// Called before each transaction commits or is prepared, when nothing is left to be done but that; may throw, and then
/// it does not commit.
using CommitListener = void (*)();
void hear_of_commits(CommitListener listener);

/// Take in what other sessions have reported since; cheap when there is nothing.
void accept_invalidations();
/// Have every session told, once this transaction commits, that the relation changed; this one at its next command.
void invalidate_relation(Oid relation);

} // namespace snapback
