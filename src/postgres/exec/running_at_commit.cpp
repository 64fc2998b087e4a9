#include "postgres/exec/running_at_commit.hpp"

#include <algorithm>
#include <cstring>

extern "C" {
#include "access/transam.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
}

namespace snapback {

namespace {

/// The last transaction of one session slot that was found running, and the first and last restore that found it. Other
/// restores in between may not have found it, so the range can be too wide but never too narrow.
struct Found {
    LocalTransactionId transaction;
    std::uint64_t first;
    std::uint64_t last;
};

/// In shared memory. Initially zero: no transaction was found running.
struct List {
    LWLock lock;
    Found places[]; // indexed by backend number
};
List *list = nullptr;
FullTransactionId listing; // the current transaction if it lists others, else invalid

/// Number of processes that can run transactions, plus one, since some versions count from 1.
std::size_t place_count() {
    return ProcGlobal->allProcCount + 1;
}

Size list_size(std::size_t places) {
    return offsetof(List, places) + places * sizeof(Found);
}

/// Find or create the list in shared memory. A Postgres call, which fails if shared memory is exhausted.
void attach() {
    constexpr const char *name = "pg_snapback";
    bool found = false;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    auto *place = static_cast<List *>(ShmemInitStruct(name, list_size(place_count()), &found));
    if (!found) {
        std::memset(place, 0, list_size(place_count()));
        LWLockInitialize(&place->lock, LWLockNewTrancheId());
    }
    LWLockRelease(AddinShmemInitLock);
    LWLockRegisterTranche(place->lock.tranche, name);
    list = place;
}

/// Find the list. False if shared memory is exhausted; then no restore has created it.
bool attached() {
    if (list)
        return true;
    return !attempt([] { call(attach); }, sqlstate::out_of_memory);
}

std::int64_t place_of(const volatile PGPROC &process) {
#if PG_VERSION_NUM >= 170000
    return process.vxid.procNumber;
#else
    return process.backendId;
#endif
}

LocalTransactionId transaction_of(const volatile PGPROC &process) {
#if PG_VERSION_NUM >= 170000
    return process.vxid.lxid;
#else
    return process.lxid;
#endif
}

void note_running(const volatile PGPROC &process, std::uint64_t by) {
    LocalTransactionId transaction = transaction_of(process);
    std::int64_t place = place_of(process);
    if (&process == MyProc || process.databaseId != MyDatabaseId || !LocalTransactionIdIsValid(transaction) ||
        place < 0 || static_cast<std::size_t>(place) >= place_count())
        return;
    Found &found = list->places[place];
    if (found.transaction == transaction)
        found = {transaction, std::min(found.first, by), std::max(found.last, by)};
    else
        found = {transaction, by, by};
}

/// List the running transactions. A transaction with a snapshot older than the commit is running before the commit
/// becomes visible, so this step comes after it.
void list_running() {
    LWLockAcquire(&list->lock, LW_EXCLUSIVE);
    for (std::uint32_t i = 0; i < ProcGlobal->allProcCount; i++)
        note_running(ProcGlobal->allProcs[i], U64FromFullTransactionId(listing));
    LWLockRelease(&list->lock);
}

void at_transaction_event(XactEvent event, void *) {
    if (!FullTransactionIdIsValid(listing))
        return;
    if (event == XACT_EVENT_PRE_PREPARE)
        entry([] {
            throw Error(sqlstate::feature_not_supported, "cannot PREPARE a transaction that has restored a community")
                .with_hint("Commit or roll back the transaction.");
        });
    if (event == XACT_EVENT_COMMIT)
        list_running();
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
        listing = InvalidFullTransactionId;
}

shmem_request_hook_type next_request = nullptr;
shmem_startup_hook_type next_startup = nullptr;

void request_memory() {
    if (next_request)
        next_request();
    // The number of auxiliary processes is not known yet.
    constexpr std::size_t auxiliary = 64;
    RequestAddinShmemSpace(list_size(MaxBackends + auxiliary));
}

void take_memory() {
    if (next_startup)
        next_startup();
    attach();
}

} // namespace

void list_running_at_commit() {
    static bool watching = false;
    if (!watching)
        call([] { RegisterXactCallback(at_transaction_event, nullptr); });
    watching = true;
    if (!attached())
        throw Error("53200", "not enough shared memory for the list of running transactions")
            .with_hint("Add pg_snapback to shared_preload_libraries and restart the server.");
    listing = call([] { return GetTopFullTransactionId(); });
}

ListedBy current_transaction_listed_by() {
    if (!attached())
        return {};
    return call([] {
        const volatile PGPROC &self = *MyProc;
        LWLockAcquire(&list->lock, LW_SHARED);
        Found found = list->places[place_of(self)];
        LWLockRelease(&list->lock);
        return found.transaction == transaction_of(self) ? ListedBy{found.first, found.last} : ListedBy{};
    });
}

void reserve_list_of_running() {
    if (!process_shared_preload_libraries_in_progress)
        return;
    next_request = shmem_request_hook;
    shmem_request_hook = request_memory;
    next_startup = shmem_startup_hook;
    shmem_startup_hook = take_memory;
}

} // namespace snapback
