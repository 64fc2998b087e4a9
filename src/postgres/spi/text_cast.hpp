#pragma once
#include "postgres/spi/value.hpp"

namespace snapback {

/// The cast of a type to text, like `value::text`. For some types (bool, char(n), inet) it differs from the output
/// function.
class TextCast {
public:
    explicit TextCast(Oid type);
    std::string operator()(Datum datum) const;

    /// Whether the text depends only on the value and no user code runs. Otherwise, repeat the cast each time, AsOwner
    /// of the object with the value, with fixed settings.
    bool is_plain() const { return plain_; }

private:
    Oid type_;
    bool plain_ = false;
    bool is_text_ = false;      // binary-coercible to text
    Oid function_ = InvalidOid; // the cast function, if any
    int arguments_ = 0;
    mutable FmgrInfo output_{}; // otherwise the type's output function, cached if plain
};

} // namespace snapback
