#pragma once
// The oldest snapshot that the current transaction has read with. Known from the loading of the library on; what the
// transaction read before is in doubt until it is settled.
#include "postgres/error/boundary.hpp"

namespace snapback {

/// Whether this transaction may have read data before another, now committed transaction changed it. True if unknown.
bool may_have_read_before(FullTransactionId committed);

/// Whether the library was loaded within this transaction, and it is still open whether it read something before.
bool earlier_reads_are_in_doubt();
/// Settle that. The statement under way may have begun before the library was there: its snapshot is noted now.
void settle_earlier_reads(bool may_have_read);

/// Begin to note the snapshots of queries; called once, at load.
void watch_snapshots();

} // namespace snapback
