#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/shape.hpp"

namespace snapback {

/// One column of a key: where it stands in stored rows, and how its values are kept there.
struct KeyPart {
    std::size_t column;
    FieldForm form;
    bool is_signed; ///< of a number: whether its highest bit is a sign
};

/// Append a stored value so that values sort as unsigned bytes, and none is a prefix of another (docs/format.md).
void append_sortable(std::string &key, const KeyPart &part, std::string_view value);

} // namespace snapback
