#include "postgres/advisory_lock.hpp"

extern "C" {
#include "common/hashfn.h"
}

namespace snapback {

std::uint64_t lock_key(std::string_view text) {
    return hash_bytes_extended(reinterpret_cast<const unsigned char *>(text.data()), static_cast<int>(text.size()), 0);
}

bool take_session_lock(LockSpace space, std::uint64_t key, bool wait) {
    LOCKTAG tag = own_lock_tag(space, key);
    return call([&] { return LockAcquire(&tag, ExclusiveLock, true, !wait) != LOCKACQUIRE_NOT_AVAIL; });
}

void release_session_lock(LockSpace space, std::uint64_t key) {
    LOCKTAG tag = own_lock_tag(space, key);
    call([&] { LockRelease(&tag, ExclusiveLock, true); });
}

} // namespace snapback
