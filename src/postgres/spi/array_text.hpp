#pragma once
#include <functional>
#include <string>

#include "postgres/error/boundary.hpp"

namespace snapback {

/// Apply a function to the text of each non-NULL element of an array in text form; bounds and order stay the same.
/// Allocates in the given memory context, and does not free.
std::string map_array_text(const std::string &array, MemoryContext memory,
                           const std::function<std::string(const std::string &)> &map);

} // namespace snapback
