#pragma once
// Whether a transaction has read rows, judged by what reading leaves behind: for sessions in which the library has
// noted no snapshots.
#include "postgres/error/boundary.hpp"

namespace snapback {

/// What this session has done before now.
struct Beginnings {
    bool ended_subtransactions; // of the current transaction
    bool cursors;               // that are open
};
/// Find that out, within a transaction, at the cost of a subtransaction: they are numbered.
Beginnings find_beginnings();

/// Whether what the current transaction has read shows in its locks: no rollback of a subtransaction has given any
/// back, and no cursor or code of an earlier transaction goes on. Asked at load.
bool reads_show_in_locks(const Beginnings &found);

/// Whether the current transaction may have read rows before the statement that has begun to write to a table. False
/// only where its locks exclude that. The locks of the statement itself count, except the one on that table.
bool may_have_read_before_writing(Oid written);

} // namespace snapback
