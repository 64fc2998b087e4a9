#pragma once
#include <cstdint>
#include <string>

#include "postgres/spi/text_cast.hpp"

namespace snapback {

class CommunityName;

/// The community of a row, as a lock key. The name is built only on request.
class WrittenCommunity {
public:
    explicit WrittenCommunity(const std::string &name);
    WrittenCommunity(std::uint64_t key, const CommunityName &reader, Datum value)
        : key_(key), reader_(&reader), value_(value) {}

    std::uint64_t key() const { return key_; } // lock_key(name())
    std::string name() const;

private:
    std::uint64_t key_;
    std::string name_; // used without a reader
    const CommunityName *reader_ = nullptr;
    Datum value_ = 0;
};

/// Reads the community's name from values of one type.
class CommunityName {
public:
    /// For values of this type in a relation of this owner.
    CommunityName(Oid type, Oid owner);
    /// Return the community's name.
    std::string read(Datum value) const;
    /// The community of a value; valid as long as the value.
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
