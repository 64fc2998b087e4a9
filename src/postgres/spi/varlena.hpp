#pragma once
#include <cstring>
#include <string_view>

#include "core/slices.hpp"
#include "postgres/postgres.hpp"

namespace snapback {

/// A variable-length value of these bytes, in the current context; called inside `call`. It is copied in pieces, so
/// that the copy can be canceled.
inline Datum varlena_datum(std::string_view bytes) {
    auto *value = static_cast<varlena *>(palloc(bytes.size() + VARHDRSZ));
    SET_VARSIZE(value, bytes.size() + VARHDRSZ);
    for (std::size_t at = 0; at < bytes.size(); at += slice_size) {
        CHECK_FOR_INTERRUPTS();
        std::string_view slice = bytes.substr(at, slice_size);
        std::memcpy(VARDATA(value) + at, slice.data(), slice.size());
    }
    return PointerGetDatum(value);
}

} // namespace snapback
