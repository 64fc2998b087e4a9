// Checks before the commit: the constraints are satisfied, and the rows match the plan.
#include "restore/check/checks.hpp"

#include <algorithm>

#include "guard/guard_state.hpp"
#include "postgres/exec/as_owner.hpp"
#include "postgres/exec/deferrable_check.hpp"
#include "postgres/exec/setting_scope.hpp"
#include "postgres/exec/snapshot_scope.hpp"
#include "restore/check/remedy.hpp"
#include "restore/check/state_checks.hpp"

namespace snapback {

namespace {

[[noreturn]] void fail_foreign_key(const ForeignKey &key, const std::string &what, const std::string &hint) {
    throw Error(sqlstate::foreign_key_violation,
                "the restore would violate foreign key " + key.name + " of " + qualified_name(key.child))
        .with_detail(what)
        .with_hint(hint);
}

/// "AND …": row t is protected from other writers by the lock of the restored community.
std::string under_the_lock(const Plan &plan, const ProtectedTable *table) {
    if (!table)
        return " AND false";
    bool own = !table->relation_name.empty(); // all rows belong to the community
    return own ? "" : " AND " + comes_to(joined_path(*table), plan.community());
}

// The statistics of a table may be from the time when the community had lost its rows. The planner would then choose
// nested loops over whole tables. The queries here prevent this: they look up each row by an index that always exists,
// in a subquery that cannot become a join.

/// "SELECT … LIMIT 1" as a value: true, or NULL if there is no such row.
std::string any_row(const std::string &from_where) {
    return "(SELECT true FROM " + from_where + " LIMIT 1)";
}

/// "a.x, a.y": the foreign key's columns.
std::string child_columns(const ForeignKey &key, const std::string &alias) {
    std::string columns;
    for (const ForeignKey::Pair &pair : key.pairs)
        columns += (columns.empty() ? "" : ", ") + alias + "." + quote_name(pair.child_column);
    return columns;
}

/// The row type of the foreign key's columns.
TupleDesc reference_type(const TablePlan &child, const ForeignKey &key) {
    return call([&] {
        TupleDesc shape = CreateTemplateTupleDesc(static_cast<int>(key.pairs.size()));
        AttrNumber number = 0;
        for (const ForeignKey::Pair &pair : key.pairs)
            TupleDescCopyEntry(shape, ++number, child.wanted.shape(),
                               static_cast<AttrNumber>(SPI_fnumber(child.wanted.shape(), pair.child_column.c_str())));
        return shape;
    });
}

/// Whether the foreign key's columns of written rows must be read from the table: they have defaults or are computed
/// from defaults, or the foreign key belongs to a partition.
bool is_known_when_written(const TablePlan &child, const ForeignKey &key) {
    return key.child != child.live.relation || std::ranges::any_of(key.pairs, [&](const ForeignKey::Pair &pair) {
               return !child.takes(pair.child_column);
           });
}

/// Return the values of the foreign key's columns in written rows, as a relation "c"; the store holds those read from
/// the table.
std::string written_references(Query &query, const TablePlan &child, const ForeignKey &key, TupleStore &read) {
    if (!is_known_when_written(child, key))
        return "(SELECT DISTINCT " + child_columns(key, "c") + " FROM " + child.written_rows() + " c WHERE " +
               key.refers_at_all("c") + ") c";
    ReadableRelation written = readable(key.child);
    AsOwner owner(written.owner);
    read.show_to(query);
    read.fill(query, "SELECT DISTINCT " + child_columns(key, "l") + " FROM " + child.written_rows() +
                         " w CROSS JOIN LATERAL (SELECT " + child_columns(key, "l") + " FROM " + written.from +
                         " l WHERE " + child.same_key("w", "l") + " OFFSET 0) l WHERE " + key.refers_at_all("l"));
    return read.name() + " c";
}

/// Check that the parent of every written row exists. Lock parents that the community's lock does not protect.
void check_parents(Query &query, const Plan &plan, const ForeignKey &planned) {
    const TablePlan *child = plan.table(planned.child);
    if (!child || child->written() == 0)
        return;
    plan.spec().look_at(child->live.name, child->written());
    ForeignKey key = planned.of_parts();
    ReadableRelation parent = readable(key.parent);
    std::string referred = parent.from + " t WHERE " + key.refers("t", "c");
    TupleStore read(child->see("references"), reference_type(*child, key));
    TupleStore loose(child->see("loose"), read.shape());
    loose.show_to(query);
    std::string references = written_references(query, *child, key, read);
    AsOwner owner(parent.owner);
    loose.fill(query, "SELECT c.* FROM " + references + " WHERE " +
                          any_row(referred + under_the_lock(plan, plan.protected_table(planned.parent))) + " IS NULL");
    Rows locked = query.run("SELECT pg_catalog.count(*) FROM " + loose.name() + " c CROSS JOIN LATERAL (SELECT FROM " +
                            referred + " FOR KEY SHARE OF t) l");
    if (static_cast<std::uint64_t>(locked[0].bigint(1)) < loose.size())
        fail_foreign_key(key,
                         "A restored row refers to a row of " + qualified_name(key.parent) + " that does not exist.",
                         "Another session may have deleted it concurrently; try again.");
    loose.hide();
    read.hide();
}

/// Whether an index begins with the columns of the foreign key.
bool has_child_index(Query &query, const ForeignKey &key) {
    std::vector<std::string> columns;
    for (const ForeignKey::Pair &pair : key.pairs)
        columns.push_back(pair.child_column);
    return !query
                .run_kept("SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
                          " JOIN pg_catalog.pg_am m ON m.oid = c.relam AND m.amname = 'btree'"
                          " WHERE i.indrelid = $1 AND i.indisvalid AND i.indpred IS NULL"
                          "   AND (SELECT pg_catalog.array_agg(a.attname::text) FROM pg_catalog.pg_attribute a"
                          "        WHERE a.attrelid = i.indrelid"
                          "          AND a.attnum = ANY (i.indkey[0:pg_catalog.cardinality($2) - 1])) @> $2",
                          {Value::regclass(key.child), Value::text_array(columns)})
                .empty();
}

/// Whether a row of the child refers to one of these rows. Without an index the child is read once.
bool is_referred_to(Query &query, const TupleStore &rows, const ForeignKey &key) {
    bool indexed = has_child_index(query, key);
    ReadableRelation child = readable(key.child);
    AsOwner owner(child.owner);
    std::string referring = child.from + " c WHERE " + key.refers("g", "c");
    if (indexed)
        return !query.run("SELECT FROM " + rows.name() + " g WHERE " + any_row(referring) + " LIMIT 1").empty();
    SettingScope by_hash("enable_nestloop", "off");
    return !query.run("SELECT FROM " + rows.name() + " g WHERE EXISTS (SELECT FROM " + referring + ") LIMIT 1").empty();
}

/// The hint for rows that refer to rows or values that a restore removes.
std::string referring_rows_hint(const Plan &plan, Oid child) {
    std::string again = "Try again if another session has written those rows concurrently";
    std::vector<std::string> options = further_options(plan, child);
    return options.empty() ? again + "." : again + "; restoring " + in_words(options) + " as well may include them.";
}

/// Check that no row refers to a deleted row, or to a referenced value that was changed.
void check_children(Query &query, const Plan &plan, const ForeignKey &planned) {
    TablePlan *parent = plan.table(planned.parent);
    if (!parent || parent->remove.size() + parent->changed() == 0)
        return;
    ForeignKey key = planned.of_parts();
    ReadableRelation parent_relation = readable(key.parent);
    TupleStore gone(parent->see("gone"), parent->wanted.shape());
    gone.show_to(query);
    {
        // The former referenced values of deleted and changed rows, except those that a row still has.
        AsOwner owner(parent->live.owner);
        std::string changed = "SELECT p.* FROM " + parent->see("present") + " p JOIN (SELECT * FROM " +
                              parent->see("update") + " UNION ALL SELECT * FROM " + parent->see("reinsert") +
                              ") u ON " + parent->same_key("p", "u");
        gone.fill(query, "SELECT r.* FROM (SELECT * FROM " + parent->see("remove") + " UNION ALL " + changed +
                             ") r WHERE " + any_row(parent_relation.from + " p WHERE " + key.same_parent("p", "r")) +
                             " IS NULL");
    }
    if (gone.size() > 0 && is_referred_to(query, gone, key))
        fail_foreign_key(key,
                         "A row that is not restored refers to a row of " + parent->live.name +
                             " that the restore deletes or changes.",
                         referring_rows_hint(plan, key.child));
    gone.hide();
}

/// A deferrable unique or exclusion constraint, by its index, possibly that of a partition.
struct Deferrable {
    Oid index;
    std::string name;
    Oid table;
    std::string where; // the predicate of the index
};

std::vector<Deferrable> deferrable_constraints(Query &query, Oid relation) {
    std::vector<Deferrable> found;
    for (Row row : query.run_kept("SELECT i.indexrelid, c.relname::text, i.indrelid,"
                                  " coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid), 'true')"
                                  " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
                                  " WHERE NOT i.indimmediate AND c.relkind = 'i' AND (i.indrelid = $1"
                                  "   OR i.indrelid IN (SELECT p.relid FROM pg_catalog.pg_partition_tree($1) p))"
                                  " ORDER BY c.relname",
                                  {Value::regclass(relation)}))
        found.push_back({row.oid(1), row.text(2), row.oid(3), row.text(4)});
    return found;
}

/// Check deferrable constraints, whose triggers were disabled. Other sessions may be about to write the same values.
void check_deferrable_constraint(Query &query, const TablePlan &plan, const Deferrable &constraint) {
    DeferrableCheck check(constraint.table, constraint.index);
    SnapshotScope written;
    query.stream("SELECT l.ctid FROM " + plan.written_rows() + " w CROSS JOIN LATERAL (SELECT l.ctid FROM ONLY " +
                     qualified_name(constraint.table) + " l WHERE (" + constraint.where + ") AND " +
                     plan.same_key("w", "l") + " OFFSET 0) l",
                 {}, [&](TupleTableSlot *slot) {
                     call([&] { slot_getallattrs(slot); });
                     check(slot->tts_values[0]);
                 });
}

void check_deferrable_constraints(Query &query, const TablePlan &plan) {
    if (plan.written() == 0)
        return;
    AsOwner owner(plan.live.owner);
    for (const Deferrable &constraint : deferrable_constraints(query, plan.live.relation))
        explaining([&] { check_deferrable_constraint(query, plan, constraint); },
                   [&](const ErrorReport &error) -> std::optional<Error> {
                       if (error.sqlstate != sqlstate::unique_violation &&
                           error.sqlstate != sqlstate::exclusion_violation)
                           return std::nullopt;
                       return Error(error.sqlstate,
                                    "the restore would violate constraint " + constraint.name + " of " + plan.live.name)
                           .with_hint("Another row has the same value: change it, or restore other options.");
                   });
}

/// Whether the planner estimates fewer rows for a table than were just written to it.
bool is_underestimated(Query &query, const TablePlan &plan) {
    if (plan.written() == 0)
        return false;
    return !query
                .run_kept("SELECT FROM pg_catalog.pg_class c WHERE c.relpages > 0"
                          "   AND (c.oid = $1 OR c.oid IN (SELECT p.relid FROM pg_catalog.pg_partition_tree($1) p))"
                          " HAVING pg_catalog.sum(c.reltuples / c.relpages * (pg_catalog.pg_relation_size(c.oid)"
                          "                       / pg_catalog.current_setting('block_size')::integer)) < $2",
                          {Value::regclass(plan.live.relation), Value::bigint(plan.written())})
                .empty();
}

} // namespace

void require_guards(const Plan &plan) {
    for (const auto &table : plan.tables())
        if (GuardState state = guard_state(table->live.relation); state != GuardState::enabled)
            throw Error(sqlstate::object_not_in_state,
                        table->live.name + " is not guarded: other sessions could write to it during the restore")
                .with_hint(state == GuardState::overtaken
                               ? "A BEFORE trigger of it fires after the guard: rename that trigger."
                               : "Call snapback.install_guards().");
}

void check_constraints(Query &query, const Plan &plan) {
    SettingScope by_index("enable_seqscan", "off"); // no effect if there is no index
    for (const ForeignKey &key : plan.foreign_keys()) {
        check_parents(query, plan, key);
        check_children(query, plan, key);
    }
    for (const auto &table : plan.tables())
        check_deferrable_constraints(query, *table);
    for (const auto &table : plan.tables())
        check_state(query, *table);
}

void check_result(const Plan &plan) {
    Query query;
    bool underestimated =
        std::ranges::any_of(plan.tables(), [&](const auto &table) { return is_underestimated(query, *table); });
    LiveRows current(plan.community(), underestimated);
    RestoreSpec spec = plan.spec();
    spec.rows_must_exist = false; // added rows have been deleted
    Plan again(query, spec, current);
    for (const auto &table : again.tables())
        if (table->written() + table->remove.size() > 0)
            throw Error(sqlstate::restore_conflict,
                        table->live.name + " differs from the plan after the restore; nothing was changed")
                .with_detail(std::to_string(table->insert.size()) + " rows are missing, " +
                             std::to_string(table->changed()) + " differ, " + std::to_string(table->remove.size()) +
                             " are unexpected.")
                .with_hint("A trigger that is ENABLE ALWAYS or REPLICA may have changed what was written.");
    again.require_no_obstacle(); // a table that cannot be planned cannot be checked
}

} // namespace snapback
