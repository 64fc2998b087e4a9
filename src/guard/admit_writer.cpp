#include "guard/admit_writer.hpp"

#include "guard/community_lock.hpp"
#include "guard/restore_epoch.hpp"
#include "postgres/exec/invalidation.hpp"

namespace snapback {

void admit_writer(const WrittenCommunity &community) {
    if (lock_for_write(community))
        accept_invalidations(); // from a restore that ended just before
    refuse_stale_write(community);
}

void admit_writer_to_all() {
    if (lock_all_for_write())
        accept_invalidations();
    refuse_stale_write_to_any();
}

} // namespace snapback
