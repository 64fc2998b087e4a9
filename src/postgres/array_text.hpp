#pragma once
#include <functional>
#include <string>

#include "postgres/boundary.hpp"

namespace snapback {

/// Change the elements of an array in its text form, NULLs aside, each given and returned in its own text form; bounds
/// and order stay. Works in this memory context, and leaves there what it has used.
std::string map_array_text(const std::string &array, MemoryContext memory,
                           const std::function<std::string(const std::string &)> &map);

} // namespace snapback
