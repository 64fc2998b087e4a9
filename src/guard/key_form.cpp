#include "guard/key_form.hpp"

#include <cstring>

#include "catalog/key_index.hpp"

extern "C" {
#include "utils/datum.h"
}

namespace snapback {

namespace {

/// The payload of a variable-length value. Points into the datum or a detoasted copy.
std::string_view payload(Datum datum) {
    auto *value = reinterpret_cast<varlena *>(DatumGetPointer(datum));
    if (VARATT_IS_EXTERNAL(value) || VARATT_IS_COMPRESSED(value))
        value = call([&] { return pg_detoast_datum_packed(value); });
    return {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

void append_bytes(std::string &image, const void *bytes, std::size_t size) {
    image.append(static_cast<const char *>(bytes), size);
}

void append_sized(std::string &image, std::string_view bytes) {
    auto size = static_cast<std::uint32_t>(bytes.size());
    append_bytes(image, &size, sizeof(size));
    image.append(bytes);
}

void append_value(std::string &image, const StoredColumn &column, Datum datum) {
    if (column.by_value)
        append_bytes(image, &datum, sizeof(datum));
    else if (column.length > 0)
        append_bytes(image, DatumGetPointer(datum), static_cast<std::size_t>(column.length));
    else
        append_sized(image, column.length == -1 ? payload(datum) : std::string_view(DatumGetCString(datum)));
}

std::string_view take_bytes(std::string_view &keys, std::size_t size) {
    if (keys.size() < size)
        throw Error(sqlstate::data_corrupted, "a noted key is incomplete");
    std::string_view bytes = keys.substr(0, size);
    keys.remove_prefix(size);
    return bytes;
}

/// Take the bytes of one value from the front.
std::string_view take_bytes(std::string_view &keys, const StoredColumn &column) {
    if (column.by_value)
        return take_bytes(keys, sizeof(Datum));
    if (column.length > 0)
        return take_bytes(keys, static_cast<std::size_t>(column.length));
    std::uint32_t size = 0;
    std::memcpy(&size, take_bytes(keys, sizeof(size)).data(), sizeof(size));
    return take_bytes(keys, size);
}

/// Copy bytes to the current memory context, after a header of this size and before a terminating zero.
char *copy_behind(std::size_t header, std::string_view bytes) {
    return call([&] {
        auto *copy = static_cast<char *>(palloc0(header + bytes.size() + 1));
        std::memcpy(copy + header, bytes.data(), bytes.size());
        return copy;
    });
}

Datum value_of(std::string_view bytes, const StoredColumn &column) {
    if (column.by_value) {
        Datum datum = 0;
        std::memcpy(&datum, bytes.data(), sizeof(datum));
        return datum;
    }
    if (column.length != -1)
        return PointerGetDatum(copy_behind(0, bytes));
    char *value = copy_behind(VARHDRSZ, bytes);
    SET_VARSIZE(value, VARHDRSZ + bytes.size());
    return PointerGetDatum(value);
}

} // namespace

std::optional<StoredColumn> find_column(Oid relation, const std::string &name) {
    StoredColumn column{};
    bool usable = call([&] {
        HeapTuple tuple = SearchSysCacheAttName(relation, name.c_str());
        if (!HeapTupleIsValid(tuple))
            return false;
        auto *attribute = reinterpret_cast<Form_pg_attribute>(GETSTRUCT(tuple));
        column = {attribute->attnum, attribute->atttypid, attribute->attlen, attribute->attbyval};
        bool stored = attribute->attgenerated == '\0';
        ReleaseSysCache(tuple);
        return stored;
    });
    return usable ? std::optional(column) : std::nullopt;
}

bool append_image(std::string &image, const std::vector<StoredColumn> &columns, TupleTableSlot *row) {
    for (const StoredColumn &column : columns) {
        bool null = false;
        Datum datum = slot_getattr(row, column.number, &null);
        if (null)
            return false;
        append_value(image, column, datum);
    }
    return true;
}

bool same_image(const std::vector<StoredColumn> &columns, TupleTableSlot *one, TupleTableSlot *other) {
    for (const StoredColumn &column : columns) {
        bool one_null = false;
        bool other_null = false;
        Datum left = slot_getattr(one, column.number, &one_null);
        Datum right = slot_getattr(other, column.number, &other_null);
        if (one_null != other_null)
            return false;
        if (one_null || (column.by_value && left == right))
            continue;
        if (!call([&] { return datum_image_eq(left, right, column.by_value, column.length); }))
            return false;
    }
    return true;
}

std::optional<KeyForm> KeyForm::of(Oid table, Oid written) {
    Oid index = key_index(table);
    if (!OidIsValid(index))
        return std::nullopt;
    KeyForm form;
    for (const IndexedColumn &part : key_parts(index)) {
        const char *name = call([&] { return get_attname(table, part.column, true); });
        std::optional<StoredColumn> column = name ? find_column(written, name) : std::nullopt;
        if (!column)
            return std::nullopt;
        form.id += (form.id.empty() ? "" : " ") + std::to_string(part.column) + ":" + std::to_string(column->type);
        form.columns.push_back(*column);
    }
    return form;
}

std::size_t KeyForm::size_of_first(std::string_view keys) const {
    std::string_view rest = keys;
    for (const StoredColumn &column : columns)
        take_bytes(rest, column);
    return keys.size() - rest.size();
}

std::vector<Value> KeyForm::read(std::string_view key) const {
    std::vector<Value> values;
    for (const StoredColumn &column : columns)
        values.push_back({column.type, value_of(take_bytes(key, column), column), false});
    return values;
}

} // namespace snapback
