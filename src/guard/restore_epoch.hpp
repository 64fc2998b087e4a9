#pragma once
// When each community was last restored, so that nobody writes back what they read before.
#include <string>

#include "guard/community_name.hpp"

namespace snapback {

/// Note that this transaction restores the community: every session hears of it when it commits. The last thing to do
/// before the commit.
void advance_restore_epoch(const std::string &community);

/// Raise 40001 if the community was restored after the active snapshot was taken, or while this transaction was running
/// and may have read before, unless by this transaction itself. The caller holds the community's lock for writing.
void refuse_stale_write(const WrittenCommunity &community);
/// The same for every community.
void refuse_stale_write_to_any();

/// Called before the guard reads anything itself, for the table that is written to: where the library was loaded within
/// this transaction, and a restore has been committed during it, find out whether it had read anything before.
void find_earlier_reads(Oid written);

/// Begin to hear of restores; called once, at load.
void watch_restores();

} // namespace snapback
