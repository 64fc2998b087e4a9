#pragma once
// The oldest snapshot with which the current transaction has read rows. Snapshots are recorded after the library is
// loaded; earlier reads are in doubt until settle_earlier_reads() is called.
#include "postgres/error/boundary.hpp"

namespace snapback {

/// Whether this transaction may have read data before another, now committed transaction changed it. True if unknown.
bool may_have_read_before(FullTransactionId committed);

/// Whether the library was loaded within this transaction, and it is not determined whether the transaction read rows
/// before.
bool earlier_reads_are_in_doubt();
/// Set whether the transaction may have read rows before. Also records the snapshot of the current statement, which may
/// have begun before the library was loaded.
void settle_earlier_reads(bool may_have_read);

/// Begin to record the snapshots of queries; called once at load.
void watch_snapshots();

} // namespace snapback
