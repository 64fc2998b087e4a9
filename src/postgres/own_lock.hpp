#pragma once
// Advisory locks of our own class: the server's lock manager keeps them, and no SQL function can take or release one.
#include <string_view>

#include "postgres/boundary.hpp"

namespace snapback {

/// What a lock of ours stands for; the number is its class among the server's advisory locks (SQL users have 1 and 2).
enum class LockPurpose : uint16 {
    mail_worker = 0x5341,        ///< held by the one mail worker at work
    next_mail_worker = 0x5342,   ///< held by the one mail worker that waits for it
    restore_at_work = 0x5343,    ///< keyed by restore: held by the background worker that carries it out
    community_requests = 0x5344, ///< keyed by community: held while its requests are decided upon
};

/// Take the lock until the transaction ends, waiting for it.
void lock_in_transaction(LockPurpose purpose, std::string_view key);
/// Take the lock until the transaction ends if nobody holds it; return whether it was free.
bool try_lock_in_transaction(LockPurpose purpose, std::string_view key);
/// Take the lock for the session, waiting for it; works outside transactions.
void lock_in_session(LockPurpose purpose, std::string_view key);
/// Take the lock for the session if nobody holds it; return whether it was free.
bool try_lock_in_session(LockPurpose purpose, std::string_view key);
/// Give back a lock taken for the session.
void unlock_in_session(LockPurpose purpose, std::string_view key);

} // namespace snapback
