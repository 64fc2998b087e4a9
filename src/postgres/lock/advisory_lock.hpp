#pragma once
#include <cstdint>

#include "postgres/error/boundary.hpp"

extern "C" {
#include "storage/lock.h"
}

namespace snapback {

/// Advisory locks of the extension. Their lock class is out of reach of pg_advisory_lock(), so no SQL function takes
/// them.
enum class LockSpace : std::uint16_t {
    store = 0x5b01,            ///< chunks: shared to reference them, exclusive to sweep them
    community = 0x5b02,        ///< one community: shared for writers, exclusive for a restore
    all_communities = 0x5b03,  ///< all communities: ShareLock for bulk writers, RowExclusiveLock for restores
    requests = 0x5b11,         ///< by community: exclusive to change its pending request
    restore_at_work = 0x5b12,  ///< by restore: held by the background worker that executes it
    mail_worker = 0x5b13,      ///< held by the active mail worker
    next_mail_worker = 0x5b14, ///< held by the mail worker that waits for the active one
};

/// The tag of an advisory lock in this database.
inline LOCKTAG own_lock_tag(LockSpace space, std::uint64_t key) {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, static_cast<std::uint32_t>(key >> 32), static_cast<std::uint32_t>(key),
                         static_cast<std::uint16_t>(space));
    return tag;
}

/// Take a lock until the transaction ends. If it is not available, wait for it or return false.
inline bool take_own_lock(LockSpace space, std::uint64_t key, LOCKMODE mode, bool wait) {
    LOCKTAG tag = own_lock_tag(space, key);
    return call([&] { return LockAcquire(&tag, mode, false, !wait) != LOCKACQUIRE_NOT_AVAIL; });
}

/// Take an exclusive session-level lock, inside or outside a transaction. Wait for it, or return false immediately. It
/// lasts until it is released or the session ends.
inline bool take_session_lock(LockSpace space, std::uint64_t key, bool wait) {
    LOCKTAG tag = own_lock_tag(space, key);
    return call([&] { return LockAcquire(&tag, ExclusiveLock, true, !wait) != LOCKACQUIRE_NOT_AVAIL; });
}

/// Release a session-level lock.
inline void release_session_lock(LockSpace space, std::uint64_t key) {
    LOCKTAG tag = own_lock_tag(space, key);
    call([&] { LockRelease(&tag, ExclusiveLock, true); });
}

} // namespace snapback
