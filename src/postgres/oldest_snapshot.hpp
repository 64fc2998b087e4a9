#pragma once
// The oldest snapshot that the current transaction has read with. It is known if the library was loaded before the
// transaction began.
#include "postgres/boundary.hpp"

namespace snapback {

/// Whether this transaction may have read data before another, now committed transaction changed it. True if unknown.
bool may_have_read_before(FullTransactionId committed);

/// Start recording the snapshots of queries; called once at load.
void watch_snapshots();

} // namespace snapback
