#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/boundary.hpp"

namespace snapback {

/// One SQL value with its type: a parameter of a query. Its memory belongs to the context current when it was made.
struct Value {
    Oid type = InvalidOid;
    Datum datum = 0;
    bool null = true;

    static Value text(std::string_view text);
    static Value text(const std::optional<std::string> &text); // NULL where there is none
    static Value text(const std::string &text) { return Value::text(std::string_view(text)); }
    static Value text(const char *text) { return Value::text(std::string_view(text)); }
    static Value bigint(std::int64_t number);
    static Value integer(std::int32_t number);
    static Value boolean(bool truth);
    static Value bytea(std::string_view bytes);
    static Value uuid(std::string_view text); // in its text form; raises 22P02 where it is none
    static Value regclass(Oid relation);
    static Value text_array(std::span<const std::string> texts);
    static Value uuid_array(std::span<const std::string> texts);
    static Value bytea_array(std::span<const std::string> blobs);
    static Value bigint_array(std::span<const std::int64_t> numbers);
    static Value timestamptz_array(std::span<const TimestampTz> instants);
    static Value integer_array(std::span<const std::int32_t> numbers);
};

/// A variable-length value in one piece, in the current context where it was not; to be called inside `call`. A large
/// one is read in pieces, so that this can be interrupted.
varlena *in_one_piece(Datum datum);

/// Copy a text, varchar, name-like varlena datum out of Postgres's memory, detoasted.
std::string string_from_varlena(Datum datum);

/// Render a datum in its type's text form (the type's output function).
std::string text_from_datum(Datum datum, Oid type);

} // namespace snapback
