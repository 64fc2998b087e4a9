#include "postgres/lock/session_lock.hpp"

namespace snapback {

bool take_session_lock(LockSpace space, std::uint64_t key, bool wait) {
    LOCKTAG tag = own_lock_tag(space, key);
    return call([&] { return LockAcquire(&tag, ExclusiveLock, true, !wait) != LOCKACQUIRE_NOT_AVAIL; });
}

void release_session_lock(LockSpace space, std::uint64_t key) {
    LOCKTAG tag = own_lock_tag(space, key);
    call([&] { LockRelease(&tag, ExclusiveLock, true); });
}

} // namespace snapback
