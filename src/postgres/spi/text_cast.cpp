#include "postgres/spi/text_cast.hpp"

extern "C" {
#include "access/transam.h"
#include "catalog/pg_collation.h"
#include "parser/parse_coerce.h"
}

namespace snapback {

namespace {

/// Whether a value's text never changes, independent of settings. An enum label, for example, can be renamed.
bool has_one_text(Oid type) {
    switch (type) {
    case BOOLOID:
    case CHAROID:
    case NAMEOID:
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case OIDOID:
    case NUMERICOID:
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
    case UUIDOID:
    case INETOID:
    case CIDROID:
    case MACADDROID:
        return true;
    default:
        return false;
    }
}

/// Whether a function is built in; other functions are user code.
bool is_built_in(Oid function) {
    return function < FirstNormalObjectId;
}

} // namespace

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
    plain_ = is_built_in(function_) && has_one_text(type_);
    if (plain_ && !is_text_ && !OidIsValid(function_))
        call([&] {
            Oid output;
            bool is_varlena;
            getTypeOutputInfo(type_, &output, &is_varlena);
            fmgr_info_cxt(output, &output_, TopMemoryContext);
        });
}

std::string TextCast::operator()(Datum datum) const {
    if (is_text_)
        return string_from_varlena(datum);
    if (OidIsValid(output_.fn_oid))
        return call([&] { return OutputFunctionCall(&output_, datum); });
    if (!OidIsValid(function_))
        return text_from_datum(datum, type_);
    return string_from_varlena(call([&] {
        // Cast functions may have parameters for the type modifier and for explicit casts.
        if (arguments_ == 1)
            return OidFunctionCall1Coll(function_, DEFAULT_COLLATION_OID, datum);
        if (arguments_ == 2)
            return OidFunctionCall2Coll(function_, DEFAULT_COLLATION_OID, datum, Int32GetDatum(-1));
        return OidFunctionCall3Coll(function_, DEFAULT_COLLATION_OID, datum, Int32GetDatum(-1), BoolGetDatum(true));
    }));
}

} // namespace snapback
