#include "postgres/row_filter.hpp"

#include "postgres/as_owner.hpp"
#include "postgres/query.hpp"

extern "C" {
#include "access/sysattr.h"
#include "nodes/parsenodes.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
}

namespace snapback {

namespace {

enum class Verdict { usable, not_an_expression, has_subquery, unkept_column, volatile_function };

/// Tell whether a parsed PL/pgSQL expression is nothing but the expression: that grammar also takes FROM and the like.
bool is_bare_expression(const SelectStmt *select) {
    if (list_length(select->targetList) != 1 || linitial_node(ResTarget, select->targetList)->name)
        return false;
    return !select->distinctClause && !select->fromClause && !select->whereClause && !select->groupClause &&
           !select->havingClause && !select->windowClause && !select->sortClause && !select->limitOffset &&
           !select->limitCount && !select->lockingClause;
}

/// Parse one expression; null where the text is more or less than that.
Node *parse_expression(const char *text) {
    List *statements = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);
    auto *select = castNode(SelectStmt, linitial_node(RawStmt, statements)->stmt);
    return is_bare_expression(select) ? linitial_node(ResTarget, select->targetList)->val : nullptr;
}

/// The columns that an analysed expression reads, 0 for the row as a whole; members count from the lowest system
/// column.
Bitmapset *columns_read(Node *condition) {
    Bitmapset *attributes = nullptr;
    pull_varattnos(condition, 1, &attributes);
    return attributes;
}

/// Tell whether a column is read that a stored row does not have: a system column, or one that is generated.
bool reads_unkept_column(TupleDesc columns, Node *condition) {
    Bitmapset *attributes = columns_read(condition);
    for (int i = -1; (i = bms_next_member(attributes, i)) >= 0;) {
        int number = i + FirstLowInvalidHeapAttributeNumber;
        if (number < 0 || (number > 0 && TupleDescAttr(columns, number - 1)->attgenerated))
            return true;
    }
    return false;
}

/// Analyse the expression over a row of the relation. Its columns go unqualified: the table's name or alias is not
/// known where the filter is used.
Node *analyse(ParseState *state, Relation relation, const char *text, Node *expression) {
    state->p_sourcetext = text;
    ParseNamespaceItem *row = addRangeTableEntryForRelation(state, relation, AccessShareLock, nullptr, false, false);
    addNSItemToQuery(state, row, false, false, true);
    Node *condition = transformExpr(state, expression, EXPR_KIND_WHERE);
    condition = coerce_to_boolean(state, condition, "a filter");
    assign_expr_collations(state, condition);
    return condition;
}

Verdict judge(Oid oid, const char *text, Node *expression) {
    Relation relation = table_open(oid, AccessShareLock);
    ParseState *state = make_parsestate(nullptr);
    Node *condition = analyse(state, relation, text, expression);
    bool unkept = reads_unkept_column(RelationGetDescr(relation), condition);
    table_close(relation, NoLock);
    if (state->p_hasSubLinks)
        return Verdict::has_subquery;
    if (unkept)
        return Verdict::unkept_column;
    // Before planning, which may fold a call away; and after, which fills in default arguments.
    if (contain_volatile_functions(condition) ||
        contain_volatile_functions(reinterpret_cast<Node *>(expression_planner(reinterpret_cast<Expr *>(condition)))))
        return Verdict::volatile_function;
    return Verdict::usable;
}

/// Judge the text alone, and parenthesised as queries will hold it: a comment at its end would swallow what follows.
Verdict judge_text(Oid relation, const char *alone, const char *parenthesised) {
    Node *expression = parse_expression(alone);
    if (!expression || !parse_expression(parenthesised))
        return Verdict::not_an_expression;
    return judge(relation, alone, expression);
}

const char *describe(Verdict verdict) {
    switch (verdict) {
    case Verdict::has_subquery:
        return "it has a subquery";
    case Verdict::unkept_column:
        return "it reads a system column or a generated one, which a snapshot does not hold";
    case Verdict::volatile_function:
        return "it has a volatile function";
    default:
        return "it is not one expression";
    }
}

Error unusable(const std::string &relation, const std::string &filter, const std::string &sqlstate,
               const std::string &why) {
    return Error(sqlstate, "filter (" + filter + ") of " + relation + " cannot be used: " + why)
        .with_hint("A filter is one boolean expression over the table's own columns, the same whenever it is asked; "
                   "types and functions go with their schema.");
}

} // namespace

void check_row_filter(Oid relation, const std::string &filter) {
    std::string parenthesised = "(" + filter + ")";
    Oid owner = lock_and_get_owner(relation);
    std::string name = qualified_name(relation);
    AsOwner as_owner(owner);
    Verdict verdict = Verdict::usable;
    explaining(
        [&] {
            verdict = call([&] { return judge_text(relation, filter.c_str(), parenthesised.c_str()); });
            if (verdict == Verdict::usable) {
                // Starting the query asks whether the owner may call what the filter calls.
                Query query;
                query.run("SELECT FROM ONLY " + name + " WHERE (" + filter + ") LIMIT 0");
            }
        },
        [&](const ErrorReport &error) { return std::optional(unusable(name, filter, error.sqlstate, error.message)); });
    if (verdict != Verdict::usable)
        throw unusable(name, filter, sqlstate::feature_not_supported, describe(verdict));
}

std::vector<AttrNumber> columns_of_filter(Oid oid, const std::string &filter) {
    Bitmapset *attributes = call([&] {
        Relation relation = table_open(oid, AccessShareLock);
        Node *condition = analyse(make_parsestate(nullptr), relation, filter.c_str(), parse_expression(filter.c_str()));
        table_close(relation, NoLock);
        return columns_read(condition);
    });
    std::vector<AttrNumber> numbers;
    for (int i = -1; (i = bms_next_member(attributes, i)) >= 0;)
        numbers.push_back(static_cast<AttrNumber>(i + FirstLowInvalidHeapAttributeNumber));
    return numbers;
}

} // namespace snapback
