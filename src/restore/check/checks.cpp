// Proof before commit: constraints hold, and the rows are what the plan said they would be.
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
                "the restore would break foreign key " + key.name + " of " + qualified_name(key.child))
        .with_detail(what)
        .with_hint(hint);
}

/// "AND …": the row seen as t is under the lock of the community that is restored, which keeps others from it.
std::string under_the_lock(const Plan &plan, const ProtectedTable *table) {
    if (!table)
        return " AND false";
    bool own = !table->relation_name.empty(); // the community's, and nobody else's
    return own ? "" : " AND " + comes_to(joined_path(*table), plan.community());
}

// Tables that were analyzed while the community had lost its rows seem to hold few of them after the restore, and the
// planner would go through them all, or through all written rows, for each row anew. So the queries here leave it no
// such choice: they take one row after the other, and find its counterpart by the index that there must be, in a
// subquery that cannot become a join.

/// "SELECT … LIMIT 1" as a value: whether there is such a row; NULL where there is none.
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

/// Whether only the table itself can say what written rows have in the foreign key's columns: defaults, and what is
/// computed from them; and which of them are in a partition.
bool is_known_when_written(const TablePlan &child, const ForeignKey &key) {
    return key.child != child.live.relation || std::ranges::any_of(key.pairs, [&](const ForeignKey::Pair &pair) {
               return !child.takes(pair.child_column);
           });
}

/// The values that written rows have in the foreign key's columns, as a relation "c"; the store holds what had to be
/// read for it.
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

/// Every written row's parent must be there. One that is not under the community's lock is locked itself.
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
        fail_foreign_key(key, "A restored row refers to a row of " + qualified_name(key.parent) + " that is not there.",
                         "Another session may have deleted it just now; try again.");
    loose.hide();
    read.hide();
}

/// Whether children of a row are found by an index: one whose first columns are the foreign key's.
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

/// Whether some row of the child refers to one of these. Without an index the child is read once.
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

/// What can be done about rows that refer to what a restore takes away.
std::string referring_rows_hint(const Plan &plan, Oid child) {
    std::string again = "If another session has just written those rows, try again";
    std::vector<std::string> options = further_options(plan, child);
    return options.empty() ? again + "." : again + "; restoring " + in_words(options) + " as well may take them along.";
}

/// No row anywhere may refer to a row that was deleted, or whose referenced columns were changed.
void check_children(Query &query, const Plan &plan, const ForeignKey &planned) {
    TablePlan *parent = plan.table(planned.parent);
    if (!parent || parent->remove.size() + parent->changed() == 0)
        return;
    ForeignKey key = planned.of_parts();
    ReadableRelation parent_relation = readable(key.parent);
    TupleStore gone(parent->see("gone"), parent->wanted.shape());
    gone.show_to(query);
    {
        // The referenced values of removed and changed rows as they were before, less those that some row still has.
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
                             " that the restore deletes or gives another value.",
                         referring_rows_hint(plan, key.child));
    gone.hide();
}

/// A deferrable unique or exclusion constraint, by its index; on a partition, that partition's share of it.
struct Deferrable {
    Oid index;
    std::string name;
    Oid table;
    std::string where; // which rows it is about
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

/// Check what a trigger checks otherwise, and triggers were off. Other sessions may be about to write the same values.
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
                                    "the restore would break constraint " + constraint.name + " of " + plan.live.name)
                           .with_hint("Another row holds the same value now: change it, or restore other options.");
                   });
}

/// Whether the planner takes a table, by its pages and what VACUUM last found in one, for smaller than what has just
/// been written to it.
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
                        table->live.name + " is not guarded: others could write to it during the restore")
                .with_hint(state == GuardState::overtaken
                               ? "A BEFORE trigger of it fires after the guard: rename that trigger."
                               : "Call snapback.install_guards().");
}

void check_constraints(Query &query, const Plan &plan) {
    SettingScope by_index("enable_seqscan", "off"); // where there is none, it is no hindrance
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
    spec.rows_must_exist = false; // those that were added since are gone by now
    Plan again(query, spec, current);
    for (const auto &table : again.tables())
        if (table->written() + table->remove.size() > 0)
            throw Error(sqlstate::restore_conflict,
                        table->live.name + " is not as planned after the restore; nothing was changed")
                .with_detail(std::to_string(table->insert.size()) + " rows are missing, " +
                             std::to_string(table->changed()) + " differ, " + std::to_string(table->remove.size()) +
                             " are too many.")
                .with_hint("A trigger that is ENABLE ALWAYS or REPLICA may have changed what was written.");
    again.require_no_obstacle(); // a table that could not be planned proves nothing
}

} // namespace snapback
