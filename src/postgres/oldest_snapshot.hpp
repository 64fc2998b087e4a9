#pragma once
// The oldest snapshot that the current transaction has read with. Known from the transaction's begin on, in sessions
// that had loaded the library by then.
#include "postgres/boundary.hpp"

namespace snapback {

/// Whether this transaction may have read without seeing what another one, committed by now, has changed. True where
/// that is not known.
bool may_have_read_before(FullTransactionId committed);

/// Begin to note the snapshots of queries; called once, at load.
void watch_snapshots();

} // namespace snapback
