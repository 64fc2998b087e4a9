#pragma once
// Determines from locks whether a transaction has read rows, for sessions in which the library recorded no snapshots.
#include "postgres/error/boundary.hpp"

namespace snapback {

/// Earlier activity of this session.
struct Beginnings {
    bool ended_subtransactions; // the current transaction has ended subtransactions
    bool cursors;               // open cursors
};
/// Determine it within a transaction. This uses a subtransaction, because subtransactions are numbered.
Beginnings find_beginnings();

/// Whether all reads of the current transaction are visible in its locks: no subtransaction rollback released locks,
/// and no cursor or code of an earlier transaction continues. Called when the library is loaded.
bool reads_show_in_locks(const Beginnings &found);

/// Whether the current transaction may have read rows before the current statement, which writes to a table. False only
/// if its locks exclude earlier reads. The locks of the statement itself are ignored if they can be distinguished.
bool may_have_read_before_writing(Oid written);

} // namespace snapback
