#pragma once
#include "postgres/spi/value.hpp"

namespace snapback {

/// Arguments of a SQL function as C++ values. The arguments must not be NULL.
inline std::string text_argument(FunctionCallInfo fcinfo, int i) {
    return string_from_varlena(PG_GETARG_DATUM(i));
}

/// A uuid argument in its text form.
inline std::string uuid_argument(FunctionCallInfo fcinfo, int i) {
    return text_from_datum(PG_GETARG_DATUM(i), UUIDOID);
}

/// A jsonb argument, possibly NULL.
inline Value jsonb_argument(FunctionCallInfo fcinfo, int i) {
    return {JSONBOID, PG_GETARG_DATUM(i), PG_ARGISNULL(i)};
}

/// The elements of a text[] argument. Throws Error (22004) for a NULL element.
std::vector<std::string> text_array_argument(FunctionCallInfo fcinfo, int i);

} // namespace snapback
