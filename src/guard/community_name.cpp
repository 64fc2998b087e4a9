#include "guard/community_name.hpp"

#include <array>

#include "core/recent.hpp"
#include "postgres/as_owner.hpp"
#include "postgres/heavy_lock.hpp"

namespace snapback {

namespace {

constexpr std::size_t longest_known = 40;

/// A community that was named lately, with the value that named it: in one place, since it is looked at for every row.
struct Known {
    Oid type = InvalidOid;
    std::uint32_t length = 0;
    std::array<char, longest_known> value{};
    LockedCommunity community;

    bool is(Oid wanted, std::string_view bytes) const {
        return type == wanted && std::string_view(value.data(), length) == bytes;
    }
    void become(Oid new_type, std::string_view bytes, LockedCommunity named) {
        type = new_type;
        length = static_cast<std::uint32_t>(bytes.copy(value.data(), value.size()));
        community = std::move(named);
    }
};
Recent<Known, 1024> known;

LockedCommunity unknown; // the last one that is not kept

/// The bytes of a value: what is equal in them is the same value. Points into the datum or at its detoasted copy.
std::string_view bytes_of(Datum &datum, std::int16_t length, bool by_value) {
    if (by_value)
        return {reinterpret_cast<const char *>(&datum), sizeof(datum)};
    if (length > 0)
        return {DatumGetPointer(datum), static_cast<std::size_t>(length)};
    auto *value = reinterpret_cast<varlena *>(DatumGetPointer(datum));
    if (VARATT_IS_EXTERNAL(value) || VARATT_IS_COMPRESSED(value))
        value = call([&] { return pg_detoast_datum_packed(value); });
    return {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

LockedCommunity named(std::string name) {
    std::uint64_t key = lock_key(name);
    return {std::move(name), key};
}

} // namespace

CommunityName::CommunityName(Oid type, Oid owner) : cast_(type), type_(type), owner_(owner) {
    call([&] { get_typlenbyval(type, &length_, &by_value_); });
}

const LockedCommunity &CommunityName::of(Datum value) const {
    if (!cast_.is_plain()) {
        AsOwner owner(owner_);
        return unknown = named(cast_(value));
    }
    std::string_view bytes = bytes_of(value, length_, by_value_);
    if (bytes.size() > longest_known)
        return unknown = named(cast_(value));
    std::uint64_t hash = lock_key(bytes);
    Known *found = known.find(hash, [&](const Known &entry) { return entry.is(type_, bytes); });
    if (!found) {
        LockedCommunity community = named(cast_(value));
        found = &known.replace(hash);
        found->become(type_, bytes, std::move(community));
    }
    return found->community;
}

} // namespace snapback
