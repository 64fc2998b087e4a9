#include "postgres/spi/array_text.hpp"

#include <vector>

#include "postgres/spi/value.hpp"

extern "C" {
#include "utils/array.h"
#include "utils/fmgroids.h"
}

namespace snapback {

std::string map_array_text(const std::string &text, MemoryContext memory,
                           const std::function<std::string(const std::string &)> &map) {
    ArrayType *array = nullptr;
    Datum *elements = nullptr;
    bool *nulls = nullptr;
    int count = 0;
    auto in_memory = [&](auto &&step) {
        return call([&] {
            MemoryContext before = MemoryContextSwitchTo(memory);
            auto result = step();
            MemoryContextSwitchTo(before);
            return result;
        });
    };
    in_memory([&] {
        array = DatumGetArrayTypeP(OidInputFunctionCall(F_ARRAY_IN, pstrdup(text.c_str()), TEXTOID, -1));
        deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
        return count;
    });
    for (int i = 0; i < count; i++) {
        if (nulls[i])
            continue;
        std::string mapped = map(string_from_varlena(elements[i]));
        elements[i] = in_memory([&] { return CStringGetTextDatum(mapped.c_str()); });
    }
    if (count == 0)
        return text;
    return in_memory([&] {
        ArrayType *changed = construct_md_array(elements, nulls, ARR_NDIM(array), ARR_DIMS(array), ARR_LBOUND(array),
                                                TEXTOID, -1, false, TYPALIGN_INT);
        return OidOutputFunctionCall(F_ARRAY_OUT, PointerGetDatum(changed));
    });
}

} // namespace snapback
