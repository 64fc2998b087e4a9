#include "postgres/utf8.hpp"

#include "postgres/boundary.hpp"

extern "C" {
#include "mb/pg_wchar.h"
}

namespace snapback {

std::string to_utf8(const std::string &text) {
    // The server returns its argument where there is nothing to do.
    const char *converted =
        call([&] { return pg_server_to_any(text.c_str(), static_cast<int>(text.size()), PG_UTF8); });
    std::string result(converted);
    if (converted != text.c_str())
        call([&] { pfree(const_cast<char *>(converted)); });
    return result;
}

} // namespace snapback
