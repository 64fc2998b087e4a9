#pragma once
// Postgres's lock manager: tags of our own, tried, waited for and looked at. All locks end with the transaction.
#include <string_view>
#include <vector>

#include "postgres/advisory_lock.hpp"

namespace snapback {

/// Hash a text to the number of its lock. Two texts may share one: they exclude each other more than they need to.
std::uint64_t lock_key(std::string_view text);

enum class Grant { fresh, already_held, refused };

/// Take the lock if nobody is in the way; never wait.
Grant try_lock(const LOCKTAG &tag, LOCKMODE mode);
/// Wait for the lock, at most so many milliseconds; return whether it was granted.
bool wait_for_lock(const LOCKTAG &tag, LOCKMODE mode, int timeout_ms);
/// Whether this transaction holds the lock in this mode.
bool holds_lock(const LOCKTAG &tag, LOCKMODE mode);
/// Whether this transaction, which holds the lock in this mode, has taken it one time only.
bool holds_lock_once(const LOCKTAG &tag, LOCKMODE mode);

/// Who holds a lock: a running process, or a prepared transaction.
struct LockHolder {
    int process;            // 0: a prepared transaction
    TransactionId prepared; // invalid: a running process
};
/// The others that hold the lock in a mode that conflicts with this one.
std::vector<LockHolder> conflicting_holders(const LOCKTAG &tag, LOCKMODE mode);

/// Set a setting until the transaction ends.
void set_for_transaction(const char *name, const char *value);

} // namespace snapback
