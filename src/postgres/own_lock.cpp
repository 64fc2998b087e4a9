#include "postgres/own_lock.hpp"

extern "C" {
#include "common/hashfn.h"
#include "storage/lock.h"
}

namespace snapback {

namespace {

/// Name the lock: this database, a hash of the key, and the purpose as class.
LOCKTAG lock_tag(LockPurpose purpose, std::string_view key) {
    uint64 hash =
        hash_bytes_extended(reinterpret_cast<const unsigned char *>(key.data()), static_cast<int>(key.size()), 0);
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, static_cast<uint32>(hash >> 32), static_cast<uint32>(hash),
                         static_cast<uint16>(purpose));
    return tag;
}

bool acquire(LockPurpose purpose, std::string_view key, bool for_session, bool without_waiting) {
    return call([&] {
        LOCKTAG tag = lock_tag(purpose, key);
        return LockAcquire(&tag, ExclusiveLock, for_session, without_waiting) != LOCKACQUIRE_NOT_AVAIL;
    });
}

} // namespace

void lock_in_transaction(LockPurpose purpose, std::string_view key) {
    acquire(purpose, key, false, false);
}

bool try_lock_in_transaction(LockPurpose purpose, std::string_view key) {
    return acquire(purpose, key, false, true);
}

void lock_in_session(LockPurpose purpose, std::string_view key) {
    acquire(purpose, key, true, false);
}

bool try_lock_in_session(LockPurpose purpose, std::string_view key) {
    return acquire(purpose, key, true, true);
}

void unlock_in_session(LockPurpose purpose, std::string_view key) {
    call([&] {
        LOCKTAG tag = lock_tag(purpose, key);
        LockRelease(&tag, ExclusiveLock, true);
    });
}

} // namespace snapback
