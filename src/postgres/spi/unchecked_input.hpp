#pragma once
#include <cstdint>

#include "postgres/postgres.hpp"

namespace snapback {

/// Reads the text form of values like the type's input function, but skips domain checks: of the type, of array
/// elements, and of composite attributes. Domain checks inside ranges still apply.
class UncheckedInput {
public:
    struct Form;
    UncheckedInput() = default;
    /// For values of this type and modifier. Allocates in the current memory context. A Postgres call.
    UncheckedInput(Oid type, std::int32_t modifier);
    /// Read a value; may modify the text. A Postgres call.
    Datum read(char *text) const;

private:
    Form *form_ = nullptr;
};

/// The type with this name, possibly with schema and modifier; InvalidOid if it does not exist. A Postgres call.
Oid type_named(const char *name);

} // namespace snapback
