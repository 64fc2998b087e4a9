#pragma once
#include "postgres/value.hpp"

namespace snapback {

/// How a type is cast to text: what `value::text` does, which for some types (bool, char(n), inet) is not what their
/// output function prints.
class TextCast {
public:
    explicit TextCast(Oid type);
    std::string operator()(Datum datum) const;

private:
    Oid type_;
    bool is_text_ = false;      // stored as text, whatever it is called
    Oid function_ = InvalidOid; // of the cast, if it is one
    int arguments_ = 0;
};

} // namespace snapback
