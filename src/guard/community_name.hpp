#pragma once
#include <cstdint>
#include <string>

#include "postgres/text_cast.hpp"

namespace snapback {

/// A community as locks know it.
struct LockedCommunity {
    std::string name;
    std::uint64_t key = 0; // lock_key(name)
};

/// Reads a community's name from the values of one type that name it.
class CommunityName {
public:
    /// For values of this type in a relation of this owner.
    CommunityName(Oid type, Oid owner);
    /// Name the community. The result lives until the next call for any.
    const LockedCommunity &of(Datum value) const;

private:
    TextCast cast_;
    Oid type_;
    Oid owner_;
    std::int16_t length_ = 0;
    bool by_value_ = false;
};

} // namespace snapback
