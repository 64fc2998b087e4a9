#pragma once
#include <string>
#include <vector>

#include "postgres/error/boundary.hpp"

namespace snapback {

/// How a column contains enum labels: as values, as elements of arrays, or nested in composite values, ranges or arrays
/// of those.
enum class LabelForm { value, array, nested };

/// A column whose values contain labels of an enum.
struct EnumColumn {
    std::string column;
    Oid type; // the enum
    LabelForm form;
};

/// The columns of a relation that contain enum labels, in order; one entry for each enum of a column.
std::vector<EnumColumn> enum_columns(Oid relation);

} // namespace snapback
