#pragma once
#include "guard/community_name.hpp"

namespace snapback {

/// Let this transaction write to a community: take its lock (55P03 where it is being restored), hear of restores that
/// ended just before, and refuse what may have been read before one of them (40001).
void admit_writer(const WrittenCommunity &community);
/// The same where any community may be meant.
void admit_writer_to_all();

} // namespace snapback
