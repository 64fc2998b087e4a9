#pragma once
#include <string>
#include <vector>

#include "postgres/boundary.hpp"

namespace snapback {

/// How a column holds labels of an enum: as its values, as the elements of arrays, or deeper: in composite values,
/// ranges, arrays of those.
enum class LabelForm { value, array, nested };

/// A column whose values hold labels of an enum.
struct EnumColumn {
    std::string column;
    Oid type; // the enum
    LabelForm form;
};

/// The columns of a relation that hold labels of enums, in their order; one of several enums stands there for each.
std::vector<EnumColumn> enum_columns(Oid relation);

} // namespace snapback
