#include "postgres/catalog/view_column.hpp"

extern "C" {
#include "catalog/pg_class.h"
#include "nodes/parsenodes.h"
#include "nodes/primnodes.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
}

namespace snapback {

namespace {

/// A query and its enclosing queries, which its references may point to.
struct Scope {
    ::Query *query;
    const Scope *outer;

    /// The scope this many levels up; null if there is none.
    const Scope *at(Index levels) const {
        const Scope *scope = this;
        while (scope && levels-- > 0)
            scope = scope->outer;
        return scope;
    }
};

bool follow_relation(Oid relation, AttrNumber number, TableColumn *found);
bool follow_expression(const Scope *scope, Node *node, TableColumn *found);

/// Remove casts, which change the representation but not the identity of a value.
Node *without_casts(Node *node) {
    for (;;) {
        if (IsA(node, RelabelType))
            node = reinterpret_cast<Node *>(castNode(RelabelType, node)->arg);
        else if (IsA(node, CoerceViaIO))
            node = reinterpret_cast<Node *>(castNode(CoerceViaIO, node)->arg);
        else if (IsA(node, CoerceToDomain))
            node = reinterpret_cast<Node *>(castNode(CoerceToDomain, node)->arg);
        else if (IsA(node, CollateExpr))
            node = reinterpret_cast<Node *>(castNode(CollateExpr, node)->arg);
        else if (IsA(node, FuncExpr) && castNode(FuncExpr, node)->funcformat != COERCE_EXPLICIT_CALL &&
                 castNode(FuncExpr, node)->funcformat != COERCE_SQL_SYNTAX)
            node = static_cast<Node *>(linitial(castNode(FuncExpr, node)->args));
        else
            return node;
    }
}

/// Follow one output column of a query.
bool follow_output(const Scope *scope, AttrNumber number, TableColumn *found) {
    if (scope->query->commandType != CMD_SELECT || scope->query->setOperations)
        return false;
    TargetEntry *entry = get_tle_by_resno(scope->query->targetList, number);
    return entry && follow_expression(scope, reinterpret_cast<Node *>(entry->expr), found);
}

/// Follow a column of a WITH query in this or an enclosing scope.
bool follow_with_query(const Scope *scope, RangeTblEntry *entry, AttrNumber number, TableColumn *found) {
    const Scope *home = scope->at(entry->ctelevelsup);
    if (!home || entry->self_reference)
        return false;
    ListCell *cell;
    foreach (cell, home->query->cteList) {
        auto *with = static_cast<CommonTableExpr *>(lfirst(cell));
        if (strcmp(with->ctename, entry->ctename) == 0) {
            Scope inner{castNode(Query, with->ctequery), home};
            return follow_output(&inner, number, found);
        }
    }
    return false;
}

/// Follow a column of a subquery in FROM.
bool follow_subquery(const Scope *scope, RangeTblEntry *entry, AttrNumber number, TableColumn *found) {
    Scope inner{entry->subquery, scope};
    return follow_output(&inner, number, found);
}

/// Follow a column of one entry of a query's range table.
bool follow_entry(const Scope *scope, RangeTblEntry *entry, AttrNumber number, TableColumn *found) {
    switch (entry->rtekind) {
    case RTE_RELATION:
        return follow_relation(entry->relid, number, found);
    case RTE_SUBQUERY:
        return follow_subquery(scope, entry, number, found);
    case RTE_JOIN:
        return follow_expression(scope, static_cast<Node *>(list_nth(entry->joinaliasvars, number - 1)), found);
    case RTE_CTE:
        return follow_with_query(scope, entry, number, found);
#if PG_VERSION_NUM >= 180000
    case RTE_GROUP:
        return follow_expression(scope, static_cast<Node *>(list_nth(entry->groupexprs, number - 1)), found);
#endif
    default:
        return false;
    }
}

bool follow_expression(const Scope *scope, Node *node, TableColumn *found) {
    check_stack_depth();
    node = without_casts(node);
    if (!IsA(node, Var))
        return false;
    Var *var = castNode(Var, node);
    const Scope *home = scope->at(var->varlevelsup);
    if (!home || var->varattno <= 0)
        return false;
    return follow_entry(home, rt_fetch(var->varno, home->query->rtable), var->varattno, found);
}

bool follow_relation(Oid oid, AttrNumber number, TableColumn *found) {
    Relation relation = relation_open(oid, AccessShareLock);
    bool success = true;
    if (relation->rd_rel->relkind == RELKIND_VIEW) {
        Scope view{get_view_query(relation), nullptr};
        success = follow_output(&view, number, found);
    } else {
        *found = {oid, number};
    }
    relation_close(relation, NoLock);
    return success;
}

} // namespace

std::optional<TableColumn> source_column(Oid relation, AttrNumber number) {
    TableColumn found;
    if (!call([&] { return follow_relation(relation, number, &found); }))
        return std::nullopt;
    return found;
}

} // namespace snapback
