#include "postgres/spi/utf8.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include "core/utf8_text.hpp"
#include "postgres/error/boundary.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
}

namespace snapback {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD"; // U+FFFD

/// Convert with a server conversion. Characters without a conversion become U+FFFD.
std::string convert(Oid conversion, int encoding, std::string text) {
    std::string result;
    auto *bytes = reinterpret_cast<unsigned char *>(text.data());
    std::size_t done = 0;
    std::vector<unsigned char> part(text.size() * MAX_CONVERSION_GROWTH + 1);
    while (done < text.size()) {
        int left = static_cast<int>(text.size() - done);
        done += call([&] {
            return pg_do_encoding_conversion_buf(conversion, encoding, PG_UTF8, bytes + done, left, part.data(),
                                                 static_cast<int>(part.size()), true);
        });
        result += reinterpret_cast<const char *>(part.data());
        if (done < text.size()) {
            result += replacement;
            done += std::min<std::size_t>(pg_mblen(text.data() + done), text.size() - done);
        }
    }
    return result;
}

} // namespace

std::string to_utf8(const std::string &text) {
    int encoding = GetDatabaseEncoding();
    Oid conversion = InvalidOid;
    if (encoding != PG_UTF8 && encoding != PG_SQL_ASCII)
        conversion = call([&] { return FindDefaultConversionProc(encoding, PG_UTF8); });
    return OidIsValid(conversion) ? convert(conversion, encoding, text) : valid_utf8(text);
}

bool is_convertible_to_utf8(const std::string &text) {
    return GetDatabaseEncoding() == PG_UTF8 || to_utf8(text).find(replacement) == std::string::npos;
}

} // namespace snapback
