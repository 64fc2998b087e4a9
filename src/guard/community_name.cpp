#include "guard/community_name.hpp"

#include "core/recent.hpp"
#include "postgres/exec/as_owner.hpp"
#include "postgres/lock/heavy_lock.hpp"

namespace snapback {

namespace {

/// A recently used community value and its lock key. It is small, because it is looked up for every row.
struct KnownKey {
    Oid type = InvalidOid;
    std::uint32_t length = 0;
    std::array<char, 16> value{};
    std::uint64_t key = 0;

    bool is(Oid wanted, std::string_view bytes) const {
        return type == wanted && std::string_view(value.data(), length) == bytes;
    }
};
Recent<KnownKey, 1024> known;

/// The bytes of a value: equal bytes mean equal values. Points into the datum or a detoasted copy.
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

} // namespace

WrittenCommunity::WrittenCommunity(const std::string &name) : key_(lock_key(name)), name_(name) {}

std::string WrittenCommunity::name() const {
    return reader_ ? reader_->read(value_) : name_;
}

CommunityName::CommunityName(Oid type, Oid owner) : cast_(type), type_(type), owner_(owner) {
    call([&] { get_typlenbyval(type, &length_, &by_value_); });
}

std::string CommunityName::read(Datum value) const {
    if (cast_.is_plain())
        return cast_(value);
    AsOwner owner(owner_);
    return cast_(value);
}

std::uint64_t CommunityName::key_of(Datum value) const {
    if (!cast_.is_plain())
        return lock_key(read(value));
    std::string_view bytes = bytes_of(value, length_, by_value_);
    std::uint64_t hash = lock_key(bytes);
    if (KnownKey *found = known.find(hash, [&](const KnownKey &entry) { return entry.is(type_, bytes); }))
        return found->key;
    KnownKey fresh{type_, static_cast<std::uint32_t>(bytes.size()), {}, lock_key(read(value))};
    if (bytes.copy(fresh.value.data(), fresh.value.size()) == bytes.size())
        known.replace(hash) = fresh;
    return fresh.key;
}

} // namespace snapback
