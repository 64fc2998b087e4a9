#pragma once

namespace snapback {

/// Prevent DROP EXTENSION until the transaction ends. DROP EXTENSION waits on its first lock, so it holds no lock that
/// this transaction needs.
void hold_extension();

} // namespace snapback
