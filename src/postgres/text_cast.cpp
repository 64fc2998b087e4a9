#include "postgres/text_cast.hpp"

extern "C" {
#include "catalog/pg_collation.h"
#include "parser/parse_coerce.h"
}

namespace snapback {

TextCast::TextCast(Oid type) : type_(type) {
    Oid function = InvalidOid;
    CoercionPathType path = call([&] {
        type_ = getBaseType(type);
        if (type_ == TEXTOID)
            return COERCION_PATH_RELABELTYPE;
        return find_coercion_pathway(TEXTOID, type_, COERCION_EXPLICIT, &function);
    });
    is_text_ = path == COERCION_PATH_RELABELTYPE;
    if (path == COERCION_PATH_FUNC) {
        function_ = function;
        arguments_ = call([&] { return get_func_nargs(function); });
    }
}

std::string TextCast::operator()(Datum datum) const {
    if (is_text_)
        return string_from_varlena(datum);
    if (!OidIsValid(function_))
        return text_from_datum(datum, type_);
    return string_from_varlena(call([&] {
        // A cast function may also take the target's modifier and whether the cast is explicit.
        if (arguments_ == 1)
            return OidFunctionCall1Coll(function_, DEFAULT_COLLATION_OID, datum);
        if (arguments_ == 2)
            return OidFunctionCall2Coll(function_, DEFAULT_COLLATION_OID, datum, Int32GetDatum(-1));
        return OidFunctionCall3Coll(function_, DEFAULT_COLLATION_OID, datum, Int32GetDatum(-1), BoolGetDatum(true));
    }));
}

} // namespace snapback
