#include "postgres/catalog/column_default.hpp"

extern "C" {
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/ruleutils.h"
}

namespace snapback {

ColumnDefault column_default(Oid oid, AttrNumber column) {
    bool exists = false;
    const char *text = call([&]() -> const char * {
        Relation relation = table_open(oid, AccessShareLock);
        Node *expression = build_column_default(relation, column);
        table_close(relation, NoLock);
        exists = expression != nullptr;
        if (!exists || contain_volatile_functions(expression))
            return nullptr;
        return deparse_expression(expression, NIL, false, false);
    });
    return {exists, text ? std::optional<std::string>(text) : std::nullopt};
}

} // namespace snapback
