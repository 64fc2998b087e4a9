#pragma once
// Locks on communities: writers share a lock, a restore takes it exclusively. Writers never wait for it.
#include "guard/community_name.hpp"

namespace snapback {

/// Lock the community for a write of this transaction. Throws Error (55P03) during a restore. Returns whether the lock
/// is new; then a restore may have ended just before.
bool lock_for_write(const WrittenCommunity &community);
/// The same for a writer to all or unknown communities; excludes all restores.
bool lock_all_for_write();
/// Exclude other writers of a community until the transaction ends, because parent rows leave it. Throws Error (55P03)
/// if another transaction writes to it. The caller already has the lock for writing.
void exclude_other_writers(const WrittenCommunity &community);

/// Lock the community exclusively until the transaction ends. Waits for writers for at most snapback.lock_timeout, then
/// throws Error (55P03) that names the blockers. Throws Error (25001) above READ COMMITTED, where the snapshot would be
/// older than the lock. Afterwards, snapback.lock_timeout limits all lock waits of this transaction, and it is never a
/// deadlock victim.
void lock_for_restore(const std::string &community);

/// Whether this transaction holds the community's lock exclusively.
bool is_restored_here(const std::string &community);
/// Whether any session is restoring the community.
bool is_being_restored(const std::string &community);

/// Start counting the locks of each transaction; called once at load.
void watch_community_locks();

} // namespace snapback
