#pragma once
// Who may write to a community: its writers share a lock, a restore has it alone. Writers never wait for it.
#include "guard/community_name.hpp"

namespace snapback {

/// Note, on behalf of a writer, that this transaction writes to the community. Raises 55P03 while it is being restored.
/// Returns whether the lock is new to this transaction: a restore may have ended just before.
bool lock_for_write(const WrittenCommunity &community);
/// The same for a writer whose communities are all of them, or unknown: excludes every restore.
bool lock_all_for_write();
/// Be a community's only writer until the transaction ends, since rows leave it that others lead through. Raises 55P03
/// where somebody else is writing to it. The caller has its lock for writing.
void exclude_other_writers(const WrittenCommunity &community);

/// Have the community alone until the transaction ends. Waits for its writers up to snapback.lock_timeout, then raises
/// 55P03 naming who is in the way. Raises 25001 above READ COMMITTED, where the snapshot would be older than the lock.
/// From here on this transaction gives up on any lock after snapback.lock_timeout, and is never a deadlock's victim.
void lock_for_restore(const std::string &community);

/// Whether this transaction has the community alone.
bool is_restored_here(const std::string &community);
/// Whether a restore, of this session or another, has the community at this moment.
bool is_being_restored(const std::string &community);

/// Begin to count the locks of each transaction; called once, at load.
void watch_community_locks();

} // namespace snapback
