#pragma once
#include <cstdint>
#include <string>

#include "postgres/text_cast.hpp"

namespace snapback {

class CommunityName;

/// A community that a row belongs to, as locks know it. Its name is made only where it is asked for.
class WrittenCommunity {
public:
    explicit WrittenCommunity(const std::string &name);
    WrittenCommunity(std::uint64_t key, const CommunityName &reader, Datum value)
        : key_(key), reader_(&reader), value_(value) {}

    std::uint64_t key() const { return key_; } // lock_key(name())
    std::string name() const;

private:
    std::uint64_t key_;
    std::string name_; // where nobody reads it
    const CommunityName *reader_ = nullptr;
    Datum value_ = 0;
};

/// Reads a community's name from the values of one type that name it.
class CommunityName {
public:
    /// For values of this type in a relation of this owner.
    CommunityName(Oid type, Oid owner);
    /// Name the community.
    std::string read(Datum value) const;
    /// Tell the community as locks know it, for no longer than the value is there.
    WrittenCommunity of(Datum value) const { return {key_of(value), *this, value}; }

private:
    std::uint64_t key_of(Datum value) const;

    TextCast cast_;
    Oid type_;
    Oid owner_;
    std::int16_t length_ = 0;
    bool by_value_ = false;
};

} // namespace snapback
