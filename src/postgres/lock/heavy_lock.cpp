#include "postgres/lock/heavy_lock.hpp"

#include <string>

extern "C" {
#include "access/twophase.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "common/hashfn.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#if PG_VERSION_NUM < 170000
#include "storage/sinvaladt.h"
#endif
}

namespace snapback {

std::uint64_t lock_key(std::string_view text) {
    return hash_bytes_extended(reinterpret_cast<const unsigned char *>(text.data()), static_cast<int>(text.size()), 0);
}

Grant try_lock(const LOCKTAG &tag, LOCKMODE mode) {
    switch (call([&] { return LockAcquire(&tag, mode, false, true); })) {
    case LOCKACQUIRE_OK:
        return Grant::fresh;
    case LOCKACQUIRE_NOT_AVAIL:
        return Grant::refused;
    default:
        return Grant::already_held;
    }
}

bool wait_for_lock(const LOCKTAG &tag, LOCKMODE mode, int timeout_ms) {
    set_for_transaction("lock_timeout", std::to_string(timeout_ms).c_str());
    // A failed wait rolls back only the place in the lock queue.
    return !attempt([&] { call([&] { LockAcquire(&tag, mode, false, false); }); }, sqlstate::lock_not_available);
}

bool holds_lock(const LOCKTAG &tag, LOCKMODE mode) {
#if PG_VERSION_NUM >= 170000
    return call([&] { return LockHeldByMe(&tag, mode, false); });
#else
    return call([&] { return LockHeldByMe(&tag, mode); });
#endif
}

bool holds_lock_once(const LOCKTAG &tag, LOCKMODE mode) {
    return call([&] {
        LOCALLOCK *held = nullptr;
#if PG_VERSION_NUM >= 180000
        LockAcquireExtended(&tag, mode, false, true, true, &held, false);
#else
        LockAcquireExtended(&tag, mode, false, true, true, &held);
#endif
        bool once = held->nLocks == 2; // including the one taken here to read the count
        LockRelease(&tag, mode, false);
        return once;
    });
}

namespace {

/// The prepared transaction that a virtual transaction became, if any; a Postgres call.
TransactionId prepared_as(const VirtualTransactionId &transaction) {
    bool have_more = false;
    if (!LocalTransactionIdIsValid(transaction.localTransactionId))
        return InvalidTransactionId;
    return TwoPhaseGetXidByVirtualXID(transaction, &have_more);
}

/// The process that runs a virtual transaction; 0 if it has ended. A Postgres call.
int process_of(const VirtualTransactionId &transaction) {
#if PG_VERSION_NUM >= 170000
    PGPROC *process = ProcNumberGetProc(transaction.procNumber);
#else
    PGPROC *process = BackendIdGetProc(transaction.backendId);
#endif
    return process ? process->pid : 0;
}

/// Whether it was prepared before the last server start. Its local part is then its transaction ID.
bool is_recovered(const VirtualTransactionId &transaction) {
#if PG_VERSION_NUM >= 170000
    return transaction.procNumber == INVALID_PROC_NUMBER;
#else
    return transaction.backendId == InvalidBackendId;
#endif
}

LockHolder holder_behind(const VirtualTransactionId &transaction) {
    if (is_recovered(transaction))
        return {0, transaction.localTransactionId};
    TransactionId prepared = prepared_as(transaction);
    return {TransactionIdIsValid(prepared) ? 0 : process_of(transaction), prepared};
}

} // namespace

std::vector<LockHolder> conflicting_holders(const LOCKTAG &tag, LOCKMODE mode) {
    int count = 0;
    const VirtualTransactionId *found = call([&] { return GetLockConflicts(&tag, mode, &count); });
    std::vector<LockHolder> holders;
    for (int i = 0; i < count; i++)
        holders.push_back(call([&] { return holder_behind(found[i]); }));
    return holders;
}

void set_for_transaction(const char *name, const char *value) {
    call([&] { set_config_option(name, value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false); });
}

void hold_extension() {
    call([] { LockDatabaseObject(ExtensionRelationId, get_extension_oid("pg_snapback", true), 0, AccessShareLock); });
}

} // namespace snapback
