#pragma once
#include <cstdint>

#include "postgres/postgres.hpp"

namespace snapback {

/// Reads the text form of a type's values as its input function does, but without the checks of domains: of the type
/// itself, of array elements and of attributes of composite types. Only what a range holds is still checked.
class UncheckedInput {
public:
    struct Form;
    UncheckedInput() = default;
    /// For values of this type and modifier; what it keeps lies in the current memory context. A Postgres call.
    UncheckedInput(Oid type, std::int32_t modifier);
    /// Read a value; the text may be changed. A Postgres call.
    Datum read(char *text) const;

private:
    Form *form_ = nullptr;
};

} // namespace snapback
