// Runs a restore in the calling transaction.
#include "catalog/column_names.hpp"
#include "core/digest.hpp"
#include "guard/community_lock.hpp"
#include "guard/restore_epoch.hpp"
#include "postgres/exec/as_owner.hpp"
#include "postgres/spi/arguments.hpp"
#include "restore/apply/apply.hpp"
#include "restore/check/checks.hpp"
#include "restore/check/conflicts.hpp"
#include "restore/check/remedy.hpp"
#include "restore/plan/parts.hpp"
#include "restore/plan/plan.hpp"
#include "settings/settings.hpp"

namespace snapback {

namespace {

struct Run {
    std::string id;
    std::string community;
    std::string snapshot;
    std::vector<std::string> options;
    RestoreOptions switches;
};

/// Read the row of the restore.
Run read_run(const std::string &id) {
    Query query;
    Rows rows = query.run("SELECT community, snapshot, options, switches FROM snapback.restore_run"
                          " WHERE id = $1 AND state IN ('queued', 'running')",
                          {Value::uuid(id)});
    if (rows.empty())
        throw Error(sqlstate::undefined_object, "restore " + id + " does not exist or has ended");
    return {id, rows[0].text(1), rows[0].text(2), rows[0].text_array(3), read_restore_options(rows[0].value(4))};
}

/// Refuse a snapshot of another community, or of an earlier one with the same key.
void require_own_snapshot(const Run &run) {
    Query query;
    if (query
            .run("SELECT FROM snapback_internal.own_snapshots($1) s WHERE s.id = $2",
                 {Value::text(run.community), Value::uuid(run.snapshot)})
            .empty())
        throw Error(sqlstate::unknown_snapshot,
                    "snapshot " + run.snapshot + " does not belong to community " + run.community)
            .with_hint("snapback.list_snapshots() lists those that can be restored.");
}

/// Keep the snapshot from being swept while it is in use, and refuse one that is older than the retention.
Manifest hold_snapshot(const Run &run) {
    hold_store();
    Query query;
    query.run("SELECT FROM snapback.snapshot WHERE id = $1 FOR KEY SHARE", {Value::uuid(run.snapshot)});
    Manifest manifest = read_manifest(run.snapshot);
    require_own_snapshot(run);
    if (manifest.captured_at + settings().retention_seconds * std::int64_t{1'000'000} <= GetCurrentTimestamp())
        throw Error(sqlstate::snapshot_expired, "snapshot " + run.snapshot + " has expired")
            .with_hint("snapback.list_snapshots() lists those that can be restored.");
    return manifest;
}

/// Record the keys of changed rows outside the chosen options, so that an undo restores them too.
void note_rows_outside(Query &query, const Run &run, const TablePlan &plan) {
    if (plan.outside.size() + plan.also.size() + plan.children.size() == 0)
        return;
    TupleStore keys("keys_outside", one_column("key", JSONBOID));
    keys.show_to(query);
    {
        AsOwner owner(plan.live.owner);
        keys.fill(query, "SELECT " + key_as_text(plan.live, "s") + " FROM " +
                             plan.all_of({"outside", "also", "children"}) + " s");
    }
    query.run("INSERT INTO snapback.restore_row (restore, table_id, key) SELECT DISTINCT $1, $2, k.key FROM " +
                  keys.name() + " k",
              {Value::uuid(run.id), Value::integer(plan.table.id)});
    keys.hide();
}

/// Record the result for each table.
void report(Query &query, const Run &run, const Plan &plan, const std::string &before) {
    for (const auto &table : plan.tables()) {
        note_rows_outside(query, run, *table);
        query.run("INSERT INTO snapback.restore_table (restore, relation, figures, parts)"
                  " VALUES ($1, $2, CAST($3 AS snapback.plan_figures), CAST($4 AS snapback.plan_part[]))",
                  {Value::uuid(run.id), Value::text(table->live.name), Value::text(as_row(figures_of(*table))),
                   Value::text(as_array(table->parts))});
    }
    query.run("UPDATE snapback.restore_run SET state = 'restored', before_snapshot = $2,"
              " started_at = coalesce(started_at, pg_catalog.now()), ended_at = pg_catalog.clock_timestamp()"
              " WHERE id = $1",
              {Value::uuid(run.id), Value::uuid(before)});
}

/// Execute the plan and check the constraints. On a unique conflict, report all conflicting values, not only the first
/// one.
void write(Query &query, const Plan &plan, Progress &progress) {
    std::optional<UndoneError> error = attempt([&] {
        apply(query, plan, progress);
        progress.at("checking");
        check_constraints(query, plan);
    });
    if (!error)
        return;
    if (error->sqlstate == sqlstate::unique_violation || error->sqlstate == sqlstate::exclusion_violation) {
        for (const auto &table : plan.tables())
            find_conflicts(query, *table);
        require_no_obstacle(plan);
    }
    error->raise();
}

/// Lock the community, capture its rows, plan, write and check.
void execute_restore(const Run &run) {
    Progress progress(run.id, run.community);
    progress.at("waiting for the community's writers");
    lock_for_restore(run.community);
    Manifest manifest = hold_snapshot(run);
    RestoreSpec spec{std::move(manifest), run.options, run.switches, true, &progress};
    note_pending_renames();
    BeforeRestore current(run.community, run.id);

    Query query;
    progress.at("comparing");
    Plan plan(query, spec, current);
    require_previewed_plan(query, run.id, plan);
    require_no_obstacle(plan);
    require_guards(plan);
    for (const auto &table : plan.tables())
        table->parts = parts_of(query, *table);
    plan.forget_snapshot_rows();
    std::string before = current.finish();
    write(query, plan, progress);
    raise_sequences(query, plan);
    if (plan.writes_rows()) // otherwise the check would read again what the plan has read under the same lock
        check_result(plan);
    require_own_snapshot(run);
    report(query, run, plan, before);
    advance_restore_epoch(run.community);
}

/// Report the possible blockers of a lock that timed out.
[[noreturn]] void name_blockers(const Run &run) {
    std::string patience = std::to_string(settings().lock_timeout_ms) + " ms";
    Query query;
    std::optional<std::string> blockers =
        query.run("SELECT snapback_internal.blockers(CAST($1 AS pg_catalog.interval))", {Value::text(patience)})[0]
            .optional_text(1);
    throw Error(sqlstate::lock_not_available,
                "the restore of community \"" + run.community + "\" waited more than " + patience + " for a lock")
        .with_detail(blockers ? "Possible blockers: " + *blockers + "." : "The blocking transactions have ended.")
        .with_hint(
            "Retry the restore, or end the blocking transactions with pg_terminate_backend(), COMMIT PREPARED or "
            "ROLLBACK PREPARED.");
}

} // namespace

SNAPBACK_FUNCTION(snapback_execute_restore) {
    Run run = read_run(uuid_argument(fcinfo, 0));
    if (std::optional<UndoneError> error = attempt([&] { execute_restore(run); })) {
        if (error->is_lock_timeout)
            name_blockers(run);
        error->raise();
    }
    PG_RETURN_VOID();
}

} // namespace snapback
