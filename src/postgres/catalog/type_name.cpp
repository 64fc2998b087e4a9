#include "postgres/catalog/type_name.hpp"

extern "C" {
#include "parser/parse_type.h"
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#endif
}

namespace snapback {

Oid type_named(const char *name) {
    Oid type = InvalidOid;
    int32 modifier = -1;
#if PG_VERSION_NUM >= 160000
    ErrorSaveContext absence{};
    absence.type = T_ErrorSaveContext;
    if (!parseTypeString(name, &type, &modifier, reinterpret_cast<Node *>(&absence)))
        return InvalidOid;
#else
    parseTypeString(name, &type, &modifier, true);
#endif
    return type;
}

} // namespace snapback
