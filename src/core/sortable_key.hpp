#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/shape.hpp"

namespace snapback {

/// One key column: its position in stored rows, and the form of its values.
struct KeyPart {
    std::size_t column;
    FieldForm form;
    bool is_signed; ///< whether a number is signed
};

/// Append a stored value in sortable form: values sort as unsigned bytes and none is a prefix of another
/// (docs/format.md).
void append_sortable(std::string &key, const KeyPart &part, std::string_view value);

} // namespace snapback
