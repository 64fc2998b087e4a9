#pragma once
#include "postgres/lock/heavy_lock.hpp"

namespace snapback {

/// Take an exclusive session-level lock, inside or outside a transaction. Wait for it, or return false immediately. It
/// lasts until it is released or the session ends.
bool take_session_lock(LockSpace space, std::uint64_t key, bool wait);

/// Release a session-level lock.
void release_session_lock(LockSpace space, std::uint64_t key);

} // namespace snapback
