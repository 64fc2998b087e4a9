#pragma once
#include <cstdint>

#include "postgres/boundary.hpp"

extern "C" {
#include "storage/lock.h"
}

namespace snapback {

/// What our advisory locks protect. They are of a class that pg_advisory_lock() cannot reach, so no SQL user holds one.
enum class LockSpace : std::uint16_t {
    store = 0x5b01,            ///< chunks: shared by whoever refers to them, exclusive for the sweep that deletes them
    community = 0x5b02,        ///< one community: shared by its writers, exclusive for its restore
    all_communities = 0x5b03,  ///< all: ShareLock for writers to many, RowExclusiveLock for every restore
    requests = 0x5b11,         ///< by community: exclusive for whoever decides which of its requests is pending
    restore_at_work = 0x5b12,  ///< by restore: held by the background worker that carries it out
    mail_worker = 0x5b13,      ///< held by the one mail worker at work
    next_mail_worker = 0x5b14, ///< held by the one mail worker that waits for that
};

/// The tag of a lock in this database.
inline LOCKTAG own_lock_tag(LockSpace space, std::uint64_t key) {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, static_cast<std::uint32_t>(key >> 32), static_cast<std::uint32_t>(key),
                         static_cast<std::uint16_t>(space));
    return tag;
}

/// Take a lock until the transaction ends; wait for it, or return false at once where it is not to be had.
inline bool take_own_lock(LockSpace space, std::uint64_t key, LOCKMODE mode, bool wait) {
    LOCKTAG tag = own_lock_tag(space, key);
    return call([&] { return LockAcquire(&tag, mode, false, !wait) != LOCKACQUIRE_NOT_AVAIL; });
}

} // namespace snapback
