#pragma once
#include "postgres/value.hpp"

namespace snapback {

/// How a type is cast to text: what `value::text` does, which for some types (bool, char(n), inet) is not what their
/// output function prints.
class TextCast {
public:
    explicit TextCast(Oid type);
    std::string operator()(Datum datum) const;

    /// Whether the text hangs on nothing but the value, and no code runs but Postgres's own. Otherwise the cast is to
    /// be made anew each time, AsOwner of what holds the value, under settings that are always the same.
    bool is_plain() const { return plain_; }

private:
    Oid type_;
    bool plain_ = false;
    bool is_text_ = false;      // stored as text, whatever it is called
    Oid function_ = InvalidOid; // of the cast, if it is one
    int arguments_ = 0;
    mutable FmgrInfo output_{}; // else the type's output function, kept where it is plain
};

} // namespace snapback
