// The preview: makes the same plan as a restore, shows it and discards it.
#include "postgres/spi/arguments.hpp"
#include "postgres/spi/result_set.hpp"
#include "restore/check/conflicts.hpp"
#include "restore/plan/parts.hpp"
#include "restore/plan/plan.hpp"
#include "restore/plan/row_differences.hpp"

namespace snapback {

namespace {

/// The obstacles of a table with their details.
Value obstacles_in_words(const TablePlan &plan) {
    std::vector<std::string> texts;
    for (const auto &[error, constraint, in_the_way, hint] : plan.obstacles)
        texts.push_back(std::string(error.what()) + (error.detail.empty() ? "" : ". " + error.detail));
    return Value::text_array(texts);
}

/// Return the plan of a table, with its digest and parts on request, which requires reading all its rows again.
void show(Query &query, const TablePlan &plan, const std::string &community, bool in_parts, ResultSet &result) {
    Value digest{TEXTOID, 0, true};
    Value parts;
    if (in_parts) {
        std::vector<Part> found = parts_of(query, plan);
        Digest whole = digest_of(query, plan);
        complete_parts(query, plan, community, whole, found);
        digest = Value::text(whole.hex());
        parts = result.from_text(as_array(found), 7);
    }
    result.add({Value::text(plan.live.name), Value::text_array(plan.selection.options),
                result.from_text(as_row(figures_of(plan)), 3), obstacles_in_words(plan), Value::text_array(plan.notes),
                digest, parts});
}

/// Return the obstacle of a table that cannot be planned, without figures.
void show(const UnusableTable &table, ResultSet &result) {
    std::vector<Part> parts;
    for (const std::string &option : table.options)
        parts.push_back({option, {}, ""});
    result.add({Value::text(table.name), Value::text_array(table.options), result.from_text(as_row({}), 3),
                Value::text_array(std::vector<std::string>{table.obstacle.what()}),
                Value::text_array(std::vector<std::string>{}), Value::text(sha256("").hex()),
                result.from_text(as_array(parts), 7)});
}

/// Create the spec from the arguments of an SQL function: snapshot, options, switches.
RestoreSpec spec_argument(FunctionCallInfo fcinfo) {
    return {read_manifest(uuid_argument(fcinfo, 0)), text_array_argument(fcinfo, 1),
            read_restore_options(jsonb_argument(fcinfo, 2))};
}

} // namespace

SNAPBACK_FUNCTION(snapback_plan_restore) {
    ResultSet result(fcinfo);
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(3))
        PG_RETURN_NULL();
    hold_store();
    RestoreSpec spec = spec_argument(fcinfo);
    LiveRows current(spec.manifest.community);
    Query query;
    Plan plan(query, spec, current);
    if (spec.switches.on_conflict == RestoreOptions::OnConflict::error)
        for (const auto &table : plan.tables())
            find_conflicts(query, *table);
    for (const TablePlan *table : plan.tables_by_name())
        show(query, *table, spec.manifest.community, PG_GETARG_BOOL(3), result);
    for (const UnusableTable &table : plan.unusable())
        show(table, result);
    PG_RETURN_NULL();
}

SNAPBACK_FUNCTION(snapback_plan_rows) {
    ResultSet result(fcinfo);
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        PG_RETURN_NULL();
    hold_store();
    RestoreSpec spec = spec_argument(fcinfo);
    LiveRows current(spec.manifest.community);
    Query query;
    Plan plan(query, spec, current);
    if (plan.tables().empty())
        plan.require_no_obstacle();
    for (const TablePlan *table : plan.tables_by_name())
        for_each_difference(query, *table, [&](const RowDifference &difference) {
            result.add({Value::text(table->live.name), difference.key, Value::text(difference.action),
                        difference.before, difference.after});
        });
    PG_RETURN_NULL();
}

} // namespace snapback
