#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/error/boundary.hpp"

namespace snapback {

/// A SQL value with its type, for example a query parameter. Its memory belongs to the context in which it was made.
struct Value {
    Oid type = InvalidOid;
    Datum datum = 0;
    bool null = true;

    static Value text(std::string_view text);
    static Value text(const std::optional<std::string> &text); // NULL if empty
    static Value text(const std::string &text) { return Value::text(std::string_view(text)); }
    static Value text(const char *text) { return Value::text(std::string_view(text)); }
    static Value from_text(const std::string &text, Oid type); // by the input function of the type
    static Value bigint(std::int64_t number);
    static Value integer(std::int32_t number);
    static Value boolean(bool truth);
    static Value bytea(std::string_view bytes);
    static Value uuid(std::string_view text); // from text; raises 22P02 if invalid
    static Value regclass(Oid relation);
    static Value text_array(std::span<const std::string> texts);
    static Value uuid_array(std::span<const std::string> texts);
    static Value bytea_array(std::span<const std::string> blobs);
    static Value bigint_array(std::span<const std::int64_t> numbers);
    static Value timestamptz(TimestampTz instant);
    static Value timestamptz_array(std::span<const TimestampTz> instants);
    static Value integer_array(std::span<const std::int32_t> numbers);
};

/// A variable-length value without TOAST pointer or compression, in the current context if copied; called inside
/// `call`. Large values are read in pieces, so that the read can be canceled.
varlena *in_one_piece(Datum datum);

/// Copy a text, varchar, or similar datum to a string, detoasted.
std::string string_from_varlena(Datum datum);

/// Convert a datum to text with the type's output function.
std::string text_from_datum(Datum datum, Oid type);

} // namespace snapback
