#include "postgres/spi/value.hpp"

#include <cstring>

#include "core/slices.hpp"
#include "postgres/spi/varlena.hpp"

extern "C" {
#include "access/detoast.h"
#include "utils/array.h"
#include "utils/uuid.h"
}

namespace snapback {

namespace {

/// Build a one-dimensional array without nulls.
template <class Item, class ToDatum>
Datum array_datum(std::span<const Item> items, Oid element, int length, bool by_value, char align, ToDatum to_datum) {
    return call([&] {
        auto *datums = static_cast<Datum *>(palloc_extended((items.size() + 1) * sizeof(Datum), MCXT_ALLOC_HUGE));
        for (std::size_t i = 0; i < items.size(); i++)
            datums[i] = to_datum(items[i]);
        ArrayType *array = construct_array(datums, static_cast<int>(items.size()), element, length, by_value, align);
        if (!by_value)
            for (std::size_t i = 0; i < items.size(); i++)
                pfree(DatumGetPointer(datums[i]));
        pfree(datums);
        return PointerGetDatum(array);
    });
}

} // namespace

Value Value::text(std::string_view text) {
    return {TEXTOID, call([&] { return varlena_datum(text); }), false};
}

Value Value::text(const std::optional<std::string> &text) {
    return text ? Value::text(std::string_view(*text)) : Value{TEXTOID, 0, true};
}

Value Value::from_text(const std::string &text, Oid type) {
    return {type, call([&] {
                Oid input;
                Oid parameter;
                getTypeInputInfo(type, &input, &parameter);
                return OidInputFunctionCall(input, const_cast<char *>(text.c_str()), parameter, -1);
            }),
            false};
}

Value Value::bigint(std::int64_t number) {
    return {INT8OID, Int64GetDatum(number), false};
}
Value Value::integer(std::int32_t number) {
    return {INT4OID, Int32GetDatum(number), false};
}
Value Value::boolean(bool truth) {
    return {BOOLOID, BoolGetDatum(truth), false};
}
Value Value::regclass(Oid relation) {
    return {REGCLASSOID, ObjectIdGetDatum(relation), false};
}

Value Value::bytea(std::string_view bytes) {
    return {BYTEAOID, call([&] { return varlena_datum(bytes); }), false};
}

Value Value::uuid(std::string_view text) {
    std::string terminated(text);
    return {UUIDOID, call([&] { return DirectFunctionCall1(uuid_in, CStringGetDatum(terminated.c_str())); }), false};
}

Value Value::text_array(std::span<const std::string> texts) {
    return {TEXTARRAYOID, array_datum(texts, TEXTOID, -1, false, TYPALIGN_INT, varlena_datum), false};
}

Value Value::uuid_array(std::span<const std::string> texts) {
    auto parse = [](const std::string &text) { return DirectFunctionCall1(uuid_in, CStringGetDatum(text.c_str())); };
    return {UUIDARRAYOID, array_datum(texts, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, parse), false};
}

Value Value::bytea_array(std::span<const std::string> blobs) {
    return {BYTEAARRAYOID, array_datum(blobs, BYTEAOID, -1, false, TYPALIGN_INT, varlena_datum), false};
}

Value Value::bigint_array(std::span<const std::int64_t> numbers) {
    return {INT8ARRAYOID,
            array_datum(numbers, INT8OID, 8, true, TYPALIGN_DOUBLE, [](std::int64_t n) { return Int64GetDatum(n); }),
            false};
}

Value Value::timestamptz(TimestampTz instant) {
    return {TIMESTAMPTZOID, TimestampTzGetDatum(instant), false};
}

Value Value::timestamptz_array(std::span<const TimestampTz> instants) {
    Value array = bigint_array(std::span<const std::int64_t>(instants.data(), instants.size()));
    // Both types have the same representation; the array header contains the element type.
    reinterpret_cast<ArrayType *>(DatumGetPointer(array.datum))->elemtype = TIMESTAMPTZOID;
    array.type = TIMESTAMPTZARRAYOID;
    return array;
}

Value Value::integer_array(std::span<const std::int32_t> numbers) {
    return {INT4ARRAYOID,
            array_datum(numbers, INT4OID, 4, true, TYPALIGN_INT, [](std::int32_t n) { return Int32GetDatum(n); }),
            false};
}

varlena *in_one_piece(Datum datum) {
    auto *value = reinterpret_cast<varlena *>(DatumGetPointer(datum));
    if (!VARATT_IS_EXTERNAL_ONDISK(value))
        return pg_detoast_datum_packed(value);
    varatt_external pointer;
    VARATT_EXTERNAL_GET_POINTER(pointer, value);
    auto size = static_cast<std::size_t>(pointer.va_rawsize) - VARHDRSZ;
    bool is_compressed = VARATT_EXTERNAL_GET_EXTSIZE(pointer) < size;
    if (is_compressed || size <= slice_size)
        return pg_detoast_datum_packed(value);
    auto *whole = static_cast<varlena *>(palloc(size + VARHDRSZ));
    SET_VARSIZE(whole, size + VARHDRSZ);
    for (std::size_t at = 0; at < size; at += slice_size) {
        CHECK_FOR_INTERRUPTS();
        varlena *slice = detoast_attr_slice(value, static_cast<int32>(at), static_cast<int32>(slice_size));
        std::memcpy(VARDATA(whole) + at, VARDATA_ANY(slice), VARSIZE_ANY_EXHDR(slice));
        pfree(slice);
    }
    return whole;
}

std::string string_from_varlena(Datum datum) {
    varlena *flat = call([&] { return in_one_piece(datum); });
    std::string result;
    append_slices(result, {VARDATA_ANY(flat), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(flat))});
    if (reinterpret_cast<Pointer>(flat) != DatumGetPointer(datum))
        call([&] { pfree(flat); });
    return result;
}

std::string text_from_datum(Datum datum, Oid type) {
    char *text = call([&] {
        Oid output;
        bool is_varlena;
        getTypeOutputInfo(type, &output, &is_varlena);
        return OidOutputFunctionCall(output, datum);
    });
    std::string result(text);
    call([&] { pfree(text); });
    return result;
}

} // namespace snapback
