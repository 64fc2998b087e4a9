#pragma once
#include <memory>

#include "core/row_sorter.hpp"

namespace snapback {

/// Open a temporary file under PostgreSQL's rules (temp_file_limit, temp_tablespaces); the transaction end removes it.
std::unique_ptr<SpillFile> open_temporary_file();

} // namespace snapback
