#pragma once
#include <memory>

#include "core/row_sorter.hpp"

namespace snapback {

/// Open a temporary file that Postgres accounts for (temp_file_limit, temp_tablespaces) and removes with the
/// transaction.
std::unique_ptr<SpillFile> open_temporary_file();

} // namespace snapback
