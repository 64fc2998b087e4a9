#pragma once
// The last restore of each community, to prevent writes that are based on data from before the restore.
#include <string>

#include "guard/community_name.hpp"

namespace snapback {

/// Record that this transaction restores the community; every session is notified at commit. Must be the last step
/// before the commit.
void advance_restore_epoch(const std::string &community);

/// Throw Error (40001) if another transaction restored the community after the active snapshot was taken, or while this
/// transaction was running and may have read data. The caller holds the community's lock for writing.
void refuse_stale_write(const WrittenCommunity &community);
/// The same for every community.
void refuse_stale_write_to_any();

/// Find out whether this transaction has read anything before, if the library was loaded within it and a restore was
/// committed during it. To be called for the table that is written to, before the guard reads anything itself.
void find_earlier_reads(Oid written);

/// Register the listeners; called once at load.
void watch_restores();

} // namespace snapback
