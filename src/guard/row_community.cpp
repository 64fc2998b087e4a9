#include "guard/row_community.hpp"

#include "postgres/heavy_lock.hpp"

extern "C" {
#include "utils/datum.h"
}

namespace snapback {

namespace {

Value read_column(const PathColumn &column, TupleTableSlot *row) {
    Value value;
    value.type = column.type;
    value.datum = call([&] { return slot_getattr(row, column.number, &value.null); });
    return value;
}

/// The bytes of a value: what is equal in them is the same value. Points into the datum or at its detoasted copy.
std::string_view bytes_of(const PathColumn &column, Datum &datum) {
    if (column.by_value)
        return {reinterpret_cast<const char *>(&datum), sizeof(datum)};
    if (column.length > 0)
        return {DatumGetPointer(datum), static_cast<std::size_t>(column.length)};
    auto *value = reinterpret_cast<varlena *>(DatumGetPointer(datum));
    if (VARATT_IS_EXTERNAL(value) || VARATT_IS_COMPRESSED(value))
        value = call([&] { return pg_detoast_datum_packed(value); });
    return {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

} // namespace

const LockedCommunity *community_in_column(GuardedPath &path, TupleTableSlot *row) {
    const PathColumn &column = path.columns.front();
    Value value = read_column(column, row);
    if (value.null)
        return nullptr;
    std::string_view bytes = bytes_of(column, value.datum);
    if (!path.community || path.last_value != bytes) {
        std::string name = (*path.cast)(value.datum);
        path.community = LockedCommunity{name, lock_key(name)};
        path.last_value = bytes;
    }
    return &*path.community;
}

std::optional<LockedCommunity> community_through_chain(const GuardedPath &path, TupleTableSlot *row) {
    std::vector<Value> key;
    for (const PathColumn &column : path.columns) {
        key.push_back(read_column(column, row));
        if (key.back().null)
            return std::nullopt;
    }
    Query query;
    for (std::size_t step = 0;; step++) {
        Rows found = path.steps[step].fetch_latest_row(key);
        if (found.empty())
            return std::nullopt;
        if (step + 1 == path.steps.size()) {
            std::optional<std::string> name = found[0].optional_text(1);
            return name ? std::optional(LockedCommunity{*name, lock_key(*name)}) : std::nullopt;
        }
        key = found.values(0);
        for (const Value &value : key)
            if (value.null)
                return std::nullopt;
    }
}

bool same_start(const GuardedPath &path, TupleTableSlot *one, TupleTableSlot *other) {
    for (const PathColumn &column : path.columns) {
        Value left = read_column(column, one);
        Value right = read_column(column, other);
        if (left.null != right.null)
            return false;
        if (!left.null &&
            !call([&] { return datum_image_eq(left.datum, right.datum, column.by_value, column.length); }))
            return false;
    }
    return true;
}

} // namespace snapback
