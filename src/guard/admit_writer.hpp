#pragma once
#include "guard/community_name.hpp"

namespace snapback {

/// Let this transaction write to a community: take the lock (55P03 during a restore), process invalidations of recent
/// restores, and reject the write if the transaction may have read older data (40001).
void admit_writer(const WrittenCommunity &community);
/// The same for a writer to any community.
void admit_writer_to_all();

} // namespace snapback
