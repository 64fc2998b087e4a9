#pragma once
#include "postgres/heavy_lock.hpp"

namespace snapback {

/// Take a lock exclusively for this session, in or outside of transactions; wait for it, or return false at once. It
/// ends with the session, or when it is given back.
bool take_session_lock(LockSpace space, std::uint64_t key, bool wait);

/// Give a session's lock back.
void release_session_lock(LockSpace space, std::uint64_t key);

} // namespace snapback
