#pragma once
// PostgreSQL's lock manager with the extension's own lock tags. All locks end with the transaction.
#include <string_view>
#include <vector>

#include "postgres/lock/advisory_lock.hpp"

namespace snapback {

/// Hash a text to a lock number. Texts with the same hash share a lock, which is harmless.
std::uint64_t lock_key(std::string_view text);

enum class Grant { fresh, already_held, refused };

/// Take the lock if it is available; never wait.
Grant try_lock(const LOCKTAG &tag, LOCKMODE mode);
/// Wait for the lock for at most this many milliseconds. Return whether it was granted.
bool wait_for_lock(const LOCKTAG &tag, LOCKMODE mode, int timeout_ms);
/// Whether this transaction holds the lock in this mode.
bool holds_lock(const LOCKTAG &tag, LOCKMODE mode);
/// Whether this transaction, which holds the lock in this mode, has taken it only once.
bool holds_lock_once(const LOCKTAG &tag, LOCKMODE mode);

/// A holder of a lock: a running process or a prepared transaction.
struct LockHolder {
    int process;            // 0 for a prepared transaction
    TransactionId prepared; // invalid for a running process
};
/// Other holders of the lock whose mode conflicts with this mode.
std::vector<LockHolder> conflicting_holders(const LOCKTAG &tag, LOCKMODE mode);

/// Change a setting until the transaction ends.
void set_for_transaction(const char *name, const char *value);

/// Prevent DROP EXTENSION until the transaction ends. DROP EXTENSION waits on its first lock, so it holds no lock that
/// this transaction needs.
void hold_extension();

} // namespace snapback
