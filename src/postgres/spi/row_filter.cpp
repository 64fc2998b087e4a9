#include "postgres/spi/row_filter.hpp"

#include "postgres/exec/as_owner.hpp"
#include "postgres/spi/query.hpp"

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

/// Whether a parsed PL/pgSQL expression is only an expression; that grammar also accepts FROM and other clauses.
bool is_bare_expression(const SelectStmt *select) {
    if (list_length(select->targetList) != 1 || linitial_node(ResTarget, select->targetList)->name)
        return false;
    return !select->distinctClause && !select->fromClause && !select->whereClause && !select->groupClause &&
           !select->havingClause && !select->windowClause && !select->sortClause && !select->limitOffset &&
           !select->limitCount && !select->lockingClause;
}

/// Parse one expression; null if the text is not exactly one expression.
Node *parse_expression(const char *text) {
    List *statements = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);
    auto *select = castNode(SelectStmt, linitial_node(RawStmt, statements)->stmt);
    return is_bare_expression(select) ? linitial_node(ResTarget, select->targetList)->val : nullptr;
}

/// The columns that an analyzed expression reads, 0 for the whole row. Members are offset by the lowest system column.
Bitmapset *columns_read(Node *condition) {
    Bitmapset *attributes = nullptr;
    pull_varattnos(condition, 1, &attributes);
    return attributes;
}

/// Whether the expression reads a column that stored rows lack: a system column or a generated column.
bool reads_unkept_column(TupleDesc columns, Node *condition) {
    Bitmapset *attributes = columns_read(condition);
    for (int i = -1; (i = bms_next_member(attributes, i)) >= 0;) {
        int number = i + FirstLowInvalidHeapAttributeNumber;
        if (number < 0 || (number > 0 && TupleDescAttr(columns, number - 1)->attgenerated))
            return true;
    }
    return false;
}

/// Analyze the expression for a row of the relation. Column names are unqualified, because the table's name and alias
/// are unknown where the filter is used.
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
    // Check before planning, which may remove calls, and after, which adds default arguments.
    if (contain_volatile_functions(condition) ||
        contain_volatile_functions(reinterpret_cast<Node *>(expression_planner(reinterpret_cast<Expr *>(condition)))))
        return Verdict::volatile_function;
    return Verdict::usable;
}

/// Check the text alone and in parentheses, as queries use it: a trailing comment would hide the text that follows.
Verdict judge_text(Oid relation, const char *alone, const char *parenthesised) {
    Node *expression = parse_expression(alone);
    if (!expression || !parse_expression(parenthesised))
        return Verdict::not_an_expression;
    return judge(relation, alone, expression);
}

const char *describe(Verdict verdict) {
    switch (verdict) {
    case Verdict::has_subquery:
        return "it contains a subquery";
    case Verdict::unkept_column:
        return "it reads a system column or a generated column, which snapshots do not contain";
    case Verdict::volatile_function:
        return "it calls a volatile function";
    default:
        return "it is not one expression";
    }
}

Error unusable(const std::string &relation, const std::string &filter, const std::string &sqlstate,
               const std::string &why) {
    return Error(sqlstate, "filter (" + filter + ") of " + relation + " cannot be used: " + why)
        .with_hint("A filter is one boolean expression over the table's own columns, without volatile functions. "
                   "Qualify types and functions with their schema.");
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
                // The start of the query checks the owner's EXECUTE privileges on the filter's functions.
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
