#include "postgres/spi/arguments.hpp"

extern "C" {
#include "utils/array.h"
}

namespace snapback {

std::vector<std::string> text_array_argument(FunctionCallInfo fcinfo, int i) {
    Datum *items = nullptr;
    bool *nulls = nullptr;
    int count = 0;
    call(
        [&] { deconstruct_array(PG_GETARG_ARRAYTYPE_P(i), TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &count); });
    std::vector<std::string> texts;
    for (int n = 0; n < count; n++) {
        if (nulls[n])
            throw Error("22004", "list must not contain null elements");
        texts.push_back(string_from_varlena(items[n]));
    }
    return texts;
}

} // namespace snapback
