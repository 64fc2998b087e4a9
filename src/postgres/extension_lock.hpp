#pragma once

namespace snapback {

/// Keep the extension installed until the transaction ends: DROP EXTENSION waits with its first lock, while it holds
/// nothing that this transaction may come to need.
void hold_extension();

} // namespace snapback
