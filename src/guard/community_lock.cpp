#include "guard/community_lock.hpp"

#include <chrono>
#include <climits>
#include <set>

#include "postgres/exec/invalidation.hpp"
#include "postgres/lock/heavy_lock.hpp"
#include "postgres/spi/arguments.hpp"
#include "postgres/spi/query.hpp"
#include "settings/settings.hpp"

namespace snapback {

namespace {

// Modes of a community lock: ShareLock for writers, RowExclusiveLock for a writer that excludes other writers,
// ExclusiveLock for a restore. Modes of the lock on all communities: ShareLock for writers to many communities,
// RowExclusiveLock for restores, which exclude such writers but not each other. The size of the lock table is fixed: an
// UPDATE of all communities must not fill it.
constexpr int most_communities_locked = 32;

/// Number of communities that this transaction has locked. It is too high after a rollback to a savepoint; the
/// transaction then takes the lock on all communities earlier.
int communities_locked = 0;

/// The last lock that this transaction was found to hold, and its subtransaction. While that subtransaction is the
/// current one, the lock is held: subtransaction numbers are not reused within a transaction.
struct {
    LockSpace space;
    std::uint64_t key;
    SubTransactionId in = InvalidSubTransactionId;
} held;

void forget_locks() noexcept {
    communities_locked = 0;
    held.in = InvalidSubTransactionId;
}

/// Take a lock in share mode if it is available.
Grant share(LockSpace space, std::uint64_t key) {
    if (held.in == GetCurrentSubTransactionId() && held.space == space && held.key == key)
        return Grant::already_held;
    Grant grant = try_lock(own_lock_tag(space, key), ShareLock);
    if (grant != Grant::refused)
        held = {space, key, GetCurrentSubTransactionId()};
    return grant;
}

LOCKTAG tag_of(std::uint64_t key) {
    return own_lock_tag(LockSpace::community, key);
}
LOCKTAG tag_of_all() {
    return own_lock_tag(LockSpace::all_communities, 0);
}

constexpr const char *retry_hint = "Retry the transaction in a moment.";

/// The error for a writer that cannot get the community's lock.
Error refusal(const WrittenCommunity &community) {
    LOCKTAG tag = tag_of(community.key());
    if (conflicting_holders(tag, RowShareLock).empty() && !conflicting_holders(tag, ShareLock).empty())
        return Error(sqlstate::lock_not_available,
                     "parent rows are being moved out of community \"" + community.name() + "\"")
            .with_detail("Other transactions cannot write to it until the transaction that moves them ends.")
            .with_hint(retry_hint);
    return Error(sqlstate::lock_not_available, "community \"" + community.name() + "\" is being restored")
        .with_detail("Other transactions cannot write to it until the restore ends.")
        .with_hint(retry_hint);
}

} // namespace

void watch_community_locks() {
    hear_of_transaction_ends(forget_locks);
}

bool lock_for_write(const WrittenCommunity &community) {
    if (communities_locked > most_communities_locked)
        return lock_all_for_write();
    Grant grant = share(LockSpace::community, community.key());
    // A waiting lock request conflicts with every later one, even of the restore that holds the lock.
    if (grant == Grant::refused && holds_lock(tag_of(community.key()), ExclusiveLock))
        return false;
    if (grant == Grant::refused)
        throw refusal(community);
    if (grant == Grant::fresh && ++communities_locked > most_communities_locked)
        lock_all_for_write();
    return grant == Grant::fresh;
}

bool lock_all_for_write() {
    Grant grant = share(LockSpace::all_communities, 0);
    if (grant == Grant::refused)
        throw Error(sqlstate::lock_not_available, "a community is being restored")
            .with_detail("This transaction writes to more than " + std::to_string(most_communities_locked) +
                         " communities, truncates a table, or writes rows of an unknown community. Such a transaction "
                         "excludes all restores.")
            .with_hint(retry_hint);
    return grant == Grant::fresh;
}

void exclude_other_writers(const WrittenCommunity &community) {
    if (communities_locked > most_communities_locked)
        return; // the lock on all communities excludes restores, but not writers: see README.md
    if (try_lock(tag_of(community.key()), RowExclusiveLock) == Grant::refused)
        throw Error(sqlstate::lock_not_available,
                    "cannot move row out of community \"" + community.name() + "\" while others write to it")
            .with_detail("Writers of the row's children lock the community that the row is in now.")
            .with_hint(retry_hint);
}

namespace {

/// The name of a prepared transaction.
std::string prepared_name(TransactionId transaction) {
    Query query;
    Rows rows = query.run("SELECT gid FROM pg_catalog.pg_prepared_xacts "
                          "WHERE transaction OPERATOR(pg_catalog.=) $1::pg_catalog.text::pg_catalog.xid",
                          {Value::text(std::to_string(transaction))});
    return rows.empty() ? "with ID " + std::to_string(transaction) : quote_text(rows[0].text(1));
}

std::string describe(const LockHolder &holder) {
    if (TransactionIdIsValid(holder.prepared))
        return "prepared transaction " + prepared_name(holder.prepared);
    return "process " + std::to_string(holder.process);
}

/// List the transactions that block a restore: writers to the community and to all communities.
std::string describe_blockers(const std::string &community) {
    std::set<std::string> blockers;
    for (const LockHolder &holder : conflicting_holders(tag_of(lock_key(community)), ExclusiveLock))
        blockers.insert(describe(holder));
    for (const LockHolder &holder : conflicting_holders(tag_of_all(), RowExclusiveLock))
        blockers.insert(describe(holder));
    std::string list;
    for (const std::string &blocker : blockers)
        list += (list.empty() ? "" : ", ") + blocker;
    return list;
}

[[noreturn]] void refuse_restore(const std::string &community) {
    std::string blockers = describe_blockers(community);
    throw Error(sqlstate::lock_not_available, "could not lock community \"" + community + "\" for its restore within " +
                                                  std::to_string(settings().lock_timeout_ms) + " ms")
        .with_detail(blockers.empty() ? "The blocking transactions have ended in the meantime."
                                      : "Still writing to it: " + blockers + ".")
        .with_hint(
            "Retry the restore, or end the blocking transactions with pg_terminate_backend(), COMMIT PREPARED or "
            "ROLLBACK PREPARED.");
}

void require_read_committed() {
    if (XactIsoLevel > XACT_READ_COMMITTED)
        throw Error(sqlstate::active_transaction, "a restore cannot run above READ COMMITTED")
            .with_detail("Its snapshot would be older than its lock on the community.")
            .with_hint("Begin the transaction with ISOLATION LEVEL READ COMMITTED.");
}

} // namespace

void lock_for_restore(const std::string &community) {
    require_read_committed();
    // The backend that detects a deadlock aborts. This transaction never checks, so the other one aborts.
    set_for_transaction("deadlock_timeout", std::to_string(INT_MAX).c_str());
    int patience = settings().lock_timeout_ms;
    auto start = std::chrono::steady_clock::now();
    if (!wait_for_lock(tag_of(lock_key(community)), ExclusiveLock, patience))
        refuse_restore(community);
    auto waited =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start).count();
    if (!wait_for_lock(tag_of_all(), RowExclusiveLock, std::max(patience - static_cast<int>(waited), 1)))
        refuse_restore(community);
    set_for_transaction("lock_timeout", std::to_string(patience).c_str());
}

bool is_restored_here(const std::string &community) {
    return holds_lock(tag_of(lock_key(community)), ExclusiveLock);
}

bool is_being_restored(const std::string &community) {
    return is_restored_here(community) || !conflicting_holders(tag_of(lock_key(community)), RowShareLock).empty();
}

} // namespace snapback

// Declared by test/modules/snapback_test only.
SNAPBACK_FUNCTION(snapback_lock_for_restore) {
    snapback::lock_for_restore(snapback::text_argument(fcinfo, 0));
    PG_RETURN_VOID();
}

SNAPBACK_FUNCTION(snapback_is_locked) {
    PG_RETURN_BOOL(snapback::is_being_restored(snapback::text_argument(fcinfo, 0)));
}
