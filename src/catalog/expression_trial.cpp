// Tests whether a restore can evaluate the constraints, generated columns and indexes of a table.
#include "catalog/expression_trial.hpp"

#include <set>

#include "catalog/own_schema.hpp"
#include "postgres/catalog/domains.hpp"
#include "postgres/catalog/self_contained.hpp"
#include "postgres/exec/as_owner.hpp"
#include "postgres/lock/heavy_lock.hpp"
#include "postgres/spi/result_set.hpp"

namespace snapback {

namespace {

constexpr const char *rows_tried = "20";

/// An expression of a table that calls user-defined functions.
struct Expression {
    std::string what;    // "constraint "positive""
    std::string catalog; // that contains it
    std::vector<Oid> objects;
    std::string value; // over bare column names
};

std::string oid_list(const std::vector<Oid> &oids) {
    std::string list;
    for (Oid oid : oids)
        list += (list.empty() ? "{" : ",") + std::to_string(oid);
    return list.empty() ? "{}" : list + "}";
}

/// Collect the expressions evaluated when a row is written, except domain constraints. Run as the owner.
std::vector<Expression> expressions_of_rows(Query &query, Oid relation) {
    std::vector<Expression> found;
    for (Row row :
         query.run_kept("SELECT 'constraint \"' || conname || '\"', 'pg_constraint', oid, conbin::text,"
                        "       pg_catalog.pg_get_expr(conbin, conrelid)"
                        " FROM pg_catalog.pg_constraint WHERE conrelid = $1 AND contype = 'c'"
                        " UNION ALL "
                        "SELECT 'generated column \"' || a.attname || '\"', 'pg_attrdef', d.oid, d.adbin::text,"
                        "       pg_catalog.pg_get_expr(d.adbin, d.adrelid)"
                        " FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a"
                        "   ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attgenerated <> ''"
                        " WHERE d.adrelid = $1"
                        " UNION ALL "
                        "SELECT 'index \"' || c.relname || '\"', 'pg_class', c.oid, e.stored::text,"
                        "       'ROW(' || pg_catalog.pg_get_expr(e.stored, i.indrelid) || ')'"
                        " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
                        " CROSS JOIN LATERAL (VALUES (i.indexprs), (i.indpred)) e (stored)"
                        " WHERE i.indrelid = $1 AND e.stored IS NOT NULL ORDER BY 1",
                        {Value::regclass(relation)}))
        if (!is_self_contained(row.text(4)))
            found.push_back({row.text(1), row.text(2), {row.oid(3)}, row.text(5)});
    return found;
}

/// ", CAST(NULL AS …)" for each domain in a type, because there may be no value to test.
std::string nulls_of_domains(Oid type) {
    std::string list;
    for (Oid domain : domains_in(type))
        list += ", CAST(NULL AS " + std::string(call([&] { return format_type_be_qualified(domain); })) + ")";
    return list;
}

/// Collect the columns whose domains have such constraints. Reading a value from text evaluates them.
std::vector<Expression> domains_of_columns(Query &query, Oid relation) {
    std::vector<Expression> found;
    for (Row row :
         query.run_kept("SELECT attname::text, atttypid, pg_catalog.format_type(atttypid, NULL)"
                        " FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped"
                        " ORDER BY attnum",
                        {Value::regclass(relation)}))
        if (std::vector<Oid> checks = domain_checks_to_try(query, row.oid(2)); !checks.empty())
            found.push_back({"the domain of column \"" + row.text(1) + "\"", "pg_constraint", std::move(checks),
                             "ROW(CAST(CAST(" + quote_name(row.text(1)) + " AS pg_catalog.text) AS " + row.text(3) +
                                 ")" + nulls_of_domains(row.oid(2)) + ")"});
    return found;
}

/// "SELECT NULL::integer AS id, …": a row of NULLs.
std::string row_of_nulls(Query &query, Oid relation) {
    return query
        .run("SELECT 'SELECT ' || pg_catalog.string_agg(pg_catalog.format('NULL::%s AS %I',"
             "   pg_catalog.format_type(atttypid, NULL), attname), ', ')"
             " FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped",
             {Value::regclass(relation)})[0]
        .text(1);
}

/// Plan a query of the table: the planner parses the SQL functions that indexes call.
std::optional<UndoneError> try_reading(Oid relation, Oid owner) {
    return try_out([&] {
        Query query;
        AsOwner as_owner(owner);
        query.run("SELECT FROM " + qualified_name(relation) + " LIMIT 0");
    });
}

/// Evaluate an expression on some rows as the table's owner, as a restore does, read-only and rolled back. Returns the
/// error.
std::optional<UndoneError> try_expression(const Expression &expression, Oid relation, Oid owner) {
    return try_out([&] {
        set_for_transaction("transaction_read_only", "on");
        Query query;
        AsOwner as_owner(owner);
        std::string name = quote_name(call([&] { return get_rel_name(relation); }));
        query.run("SELECT " + expression.value + " FROM " + qualified_name(relation) + " LIMIT " + rows_tried);
        query.run("SELECT " + expression.value + " FROM (" + row_of_nulls(query, relation) + ") " + name);
    });
}

} // namespace

std::string search_path_cure(Query &query, const std::string &catalog, const std::vector<Oid> &objects) {
    std::optional<std::string> statements =
        query
            .run("SELECT pg_catalog.string_agg(DISTINCT pg_catalog.format('ALTER FUNCTION %s SET search_path = %I, "
                 "pg_temp', p.oid::regprocedure, n.nspname), '; ')"
                 " FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid"
                 " JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
                 " WHERE d.classid = CAST($1 AS regclass) AND d.objid = ANY (CAST($2 AS oid[]))"
                 "   AND d.refclassid = 'pg_catalog.pg_proc'::regclass"
                 "   AND NOT EXISTS (SELECT FROM pg_catalog.unnest(p.proconfig) s WHERE s LIKE 'search\\_path=%')",
                 {Value::text("pg_catalog." + catalog), Value::text(oid_list(objects))})[0]
            .optional_text(1);
    return statements ? "A restore runs with the search_path pg_catalog, pg_temp. Set the search_path that the "
                        "function needs, "
                        "for example: " +
                            *statements + "."
                      : "";
}

std::vector<Oid> domain_checks_to_try(Query &query, Oid type) {
    std::vector<Oid> checks;
    std::vector<Oid> domains = domains_in(type);
    if (domains.empty())
        return checks;
    for (Row row : query.run_kept("SELECT oid, conbin::text FROM pg_catalog.pg_constraint"
                                  " WHERE contypid = ANY (CAST($1 AS oid[])) AND contype = 'c'",
                                  {Value::text(oid_list(domains))}))
        if (!is_self_contained(row.text(2)))
            checks.push_back(row.oid(1));
    return checks;
}

SNAPBACK_FUNCTION(snapback_untriable_expressions) {
    ResultSet result(fcinfo);
    Oid relation = PG_GETARG_OID(0);
    Oid owner = lock_and_get_owner(relation);
    Query query;
    std::vector<Expression> expressions;
    {
        AsOwner as_owner(owner); // deparse expressions under the settings that evaluate them
        expressions = expressions_of_rows(query, relation);
        for (Expression &expression : domains_of_columns(query, relation))
            expressions.push_back(std::move(expression));
    }
    if (std::optional<UndoneError> error = try_reading(relation, owner); error && is_about_names(*error)) {
        std::vector<Oid> indexes;
        for (const Expression &expression : expressions)
            if (expression.catalog == "pg_class")
                indexes.insert(indexes.end(), expression.objects.begin(), expression.objects.end());
        result.add({Value::text("captures and restores cannot read the table: " + error->message),
                    Value::text(search_path_cure(query, "pg_class", indexes))});
        PG_RETURN_NULL();
    }
    std::set<std::string> problems; // columns and predicate of an index may call the same function
    for (const Expression &expression : expressions) {
        std::optional<UndoneError> error = try_expression(expression, relation, owner);
        if (!error || !is_about_names(*error))
            continue;
        std::string problem =
            expression.what + " cannot be evaluated with the search_path of a restore: " + error->message;
        if (problems.insert(problem).second)
            result.add(
                {Value::text(problem), Value::text(search_path_cure(query, expression.catalog, expression.objects))});
    }
    PG_RETURN_NULL();
}

} // namespace snapback
