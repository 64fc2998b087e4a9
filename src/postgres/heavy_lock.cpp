#include "postgres/heavy_lock.hpp"

#include <string>

extern "C" {
#include "common/hashfn.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/sinvaladt.h"
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
    Subtransaction attempt; // undoes the place in the queue where the wait fails
    try {
        call([&] { LockAcquire(&tag, mode, false, false); });
    } catch (const PostgresError &error) {
        if (error.sqlstate() != sqlstate::lock_not_available)
            throw;
        return false;
    }
    attempt.commit();
    return true;
}

bool holds_lock(const LOCKTAG &tag, LOCKMODE mode) {
#if PG_VERSION_NUM >= 170000
    return call([&] { return LockHeldByMe(&tag, mode, false); });
#else
    return call([&] { return LockHeldByMe(&tag, mode); });
#endif
}

namespace {

/// Read who is behind a virtual transaction: of a prepared one, its local part is its transaction id.
LockHolder holder_behind(const VirtualTransactionId &transaction) {
#if PG_VERSION_NUM >= 170000
    bool prepared = transaction.procNumber == INVALID_PROC_NUMBER;
    PGPROC *process = prepared ? nullptr : ProcNumberGetProc(transaction.procNumber);
#else
    bool prepared = transaction.backendId == InvalidBackendId;
    PGPROC *process = prepared ? nullptr : BackendIdGetProc(transaction.backendId);
#endif
    if (prepared)
        return {0, transaction.localTransactionId};
    return {process ? process->pid : 0, InvalidTransactionId};
}

} // namespace

std::vector<LockHolder> conflicting_holders(const LOCKTAG &tag, LOCKMODE mode) {
    int count = 0;
    const VirtualTransactionId *found = call([&] { return GetLockConflicts(&tag, mode, &count); });
    std::vector<LockHolder> holders;
    for (int i = 0; i < count; i++)
        holders.push_back(holder_behind(found[i]));
    return holders;
}

void set_for_transaction(const char *name, const char *value) {
    call([&] { set_config_option(name, value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false); });
}

} // namespace snapback
