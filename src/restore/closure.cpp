#include "restore/closure.hpp"

#include <algorithm>
#include <functional>

#include "postgres/as_owner.hpp"
#include "restore/conflicts.hpp"
#include "restore/notes.hpp"

namespace snapback {

namespace {

/// The table's rows that the plan neither deletes nor changes, seen as alias `row`.
std::string untouched(const TablePlan *plan, const std::string &row) {
    if (!plan)
        return "true";
    std::string condition;
    for (const char *kind : {"remove", "update", "reinsert"})
        condition += std::string(condition.empty() ? "" : " AND ") + "NOT EXISTS (SELECT FROM " + plan->see(kind) +
                     " x WHERE " + plan->same_key("x", row) + ")";
    return condition;
}

std::string all_rows(const TablePlan &plan, const char *kind) {
    return "SELECT " + plan.columns("") + " FROM " + plan.see(kind);
}

/// "AND NOT EXISTS (…)": no row of a store has the key of the row seen as this alias.
std::string not_in(const TablePlan &plan, const char *kind, const std::string &alias) {
    return " AND NOT EXISTS (SELECT FROM " + plan.see(kind) + " x WHERE " + plan.same_key("x", alias) + ")";
}

/// "AND NOT EXISTS (…)": a row of `present`, seen as this alias, is not as the snapshot has it.
std::string changed_since(const TablePlan &plan, const std::string &alias) {
    std::string then;
    std::string now;
    for (std::size_t i = 0; i < plan.live.columns.size(); i++) {
        if (!plan.mapped[i])
            continue;
        std::string name = "." + quote_name(plan.live.columns[i].name);
        then += (then.empty() ? "w" : ", w") + name;
        now += (now.empty() ? "" : ", ") + alias + name;
    }
    return " AND NOT EXISTS (SELECT FROM " + plan.see("wanted") + " w WHERE " + plan.same_key("w", alias) +
           " AND NOT " + images_differ(then, now) + ")";
}

/// "AND NOT EXISTS (…)": were the row of `present`, seen as this alias, deleted, it would be missing, and come back.
std::string not_to_return(const TablePlan &plan, const Terms &terms, const std::string &alias) {
    if (!terms.inserts || plan.selection.rows.empty())
        return "";
    return " AND NOT EXISTS (SELECT FROM (SELECT * FROM " + plan.see("wanted") + " WHERE (" + plan.selection.rows +
           ") IS TRUE) w WHERE " + plan.same_key("w", alias) + ")";
}

/// "AND NOT EXISTS (…)": no row that is written has the referenced values of the row seen as this alias.
std::string not_taken_over(const ForeignKey &key, const TablePlan &parent, const std::string &alias) {
    if (parent.written() == 0)
        return "";
    return " AND NOT EXISTS (SELECT FROM " + parent.written_rows() + " w WHERE " + key.same_parent("w", alias) + ")";
}

/// Whether a row's columns lead to its community: without them it would belong to none.
bool is_path(const TablePlan &child, const ForeignKey &key, const std::string &column) {
    return child.table.via.empty() ? child.table.community_column == column : child.table.via == key.name;
}

/// Whether the foreign key lets these of its columns be set to NULL.
bool can_be_null(const TablePlan &child, const ForeignKey &key,
                 const std::function<bool(const ForeignKey::Pair &)> &meant) {
    return std::all_of(key.pairs.begin(), key.pairs.end(), [&](const ForeignKey::Pair &pair) {
        return meant(pair) ? pair.child_nullable && !is_path(child, key, pair.child_column) : !key.match_full;
    });
}

/// Whether the plan can do what ON DELETE SET NULL says.
bool lets_go(const TablePlan &child, const ForeignKey &key) {
    return key.on_delete == ForeignKey::OnDelete::set_null &&
           can_be_null(child, key, [](const ForeignKey::Pair &pair) { return pair.nulled; });
}

} // namespace

void Closure::run() {
    bool leaves = plan_.order().terms.conflicts == Terms::Conflicts::leave;
    for (bool changed = true; changed;) {
        changed = leaves && leave_conflicts();
        // In this order: a row that is kept is no missing parent.
        changed = settle_removals() || changed;
        for (const ForeignKey &key : keys())
            changed = bring_back_parents(key) || changed;
    }
    drop_idle_updates();
    if (follows())
        for (const ForeignKey &key : keys())
            clear_references(key);
    for (const ForeignKey &key : keys())
        refuse_lost_values(key);
    gather_what_was_taken();
    write_notes();
}

Closure::Tally &Closure::tally(const ForeignKey &key) {
    return tallies_.try_emplace({key.child, key.name}, Tally{key}).first->second;
}

/// Decide which of the added rows go, and what goes with them; true where rows had to be kept.
bool Closure::settle_removals() {
    bool any = false;
    for (bool changed = true; changed;) {
        changed = false;
        if (follows())
            for (bool more = true; more;) {
                more = false;
                for (const ForeignKey &key : keys())
                    more = take_dependants(key) || more;
            }
        for (const ForeignKey &key : keys())
            changed = keep_held_rows(key) || changed;
        // What was taken with a row that stays must stay too: begin anew without it.
        if (changed && follows())
            take_nothing();
        any = any || changed;
    }
    return any;
}

void Closure::take_nothing() {
    for (const auto &table : plan_.tables())
        table->remove.fill(query_, all_rows(*table, "added") + " s WHERE true" + not_in(*table, "kept", "s"));
    for (auto &[name, tally] : tallies_)
        tally.taken = 0;
}

/// Rows that a foreign key's ON DELETE CASCADE deletes with those that go; true where there were more.
bool Closure::take_dependants(const ForeignKey &key) {
    TablePlan *parent = plan_.table(key.parent);
    if (!parent || parent->remove.size() == 0 || key.on_delete != ForeignKey::OnDelete::cascade)
        return false;
    TablePlan *child = plan_.join(key.child);
    if (!child)
        return false; // not in the snapshot: the row is held
    std::uint64_t before = child->remove.size();
    AsOwner owner(child->live.owner);
    child->remove.fill(query_, all_rows(*child, "remove") + " UNION ALL SELECT " + child->columns("p") + " FROM " +
                                   child->see("present") + " p WHERE EXISTS (SELECT FROM " + parent->see("remove") +
                                   " r WHERE " + key.refers("r", "p") + not_taken_over(key, *parent, "r") + ") AND " +
                                   untouched(child, "p") + not_in(*child, "kept", "p") + changed_since(*child, "p") +
                                   not_to_return(*child, plan_.order().terms, "p"));
    tally(key).taken += child->remove.size() - before;
    return child->remove.size() > before;
}

/// The rows that hold a row of the parent, as a FROM clause with alias c and a condition.
std::string Closure::holders(const ForeignKey &key, const TablePlan *child) const {
    std::string rows = readable(key.child).from + " c WHERE " + untouched(child, "c");
    // References that are set to NULL hold nothing, where they are this community's to set.
    if (follows() && child && lets_go(*child, key))
        rows += " AND NOT EXISTS (SELECT FROM " + child->see("present") + " x WHERE " + child->same_key("x", "c") +
                changed_since(*child, "x") + ")";
    return rows;
}

/// Rows that would be deleted, but that rows which stay refer to: they stay too. True where there were any.
bool Closure::keep_held_rows(const ForeignKey &key) {
    TablePlan *parent = plan_.table(key.parent);
    if (!parent || parent->remove.size() == 0)
        return false;
    const TablePlan *child = follows() ? plan_.join(key.child) : plan_.table(key.child);
    std::string held_by = holders(key, child);
    std::uint64_t before = parent->kept.size();
    AsOwner owner(readable(key.child).owner);
    // One question at a time: joined by OR, they would be asked anew for every row.
    auto keep_those_of = [&](const std::string &children) {
        if (parent->remove.size() == 0)
            return;
        std::uint64_t kept = parent->kept.size();
        // A row that comes back with the same values can be referred to instead.
        std::string held = all_rows(*parent, "kept") + " UNION ALL SELECT " + parent->columns("r") + " FROM " +
                           parent->see("remove") + " r WHERE EXISTS (SELECT FROM " + children + " AND " +
                           key.refers("r", "c") + ")" + not_taken_over(key, *parent, "r");
        if (parent->kept.fill(query_, held) > kept)
            parent->remove.fill(query_, all_rows(*parent, "remove") + " r WHERE true" + not_in(*parent, "kept", "r"));
    };
    keep_those_of(held_by);
    if (child)
        keep_those_of(child->written_rows() + " c WHERE true");
    return parent->kept.size() > before;
}

/// Set the references to NULL that a foreign key's ON DELETE SET NULL takes from rows that stay.
void Closure::clear_references(const ForeignKey &key) {
    TablePlan *parent = plan_.table(key.parent);
    TablePlan *child = plan_.table(key.child);
    if (!parent || !child || parent->remove.size() == 0 || !lets_go(*child, key))
        return;
    AsOwner owner(child->live.owner);
    std::string gone = "EXISTS (SELECT FROM " + parent->see("remove") + " r WHERE " + key.refers("r", "s") +
                       not_taken_over(key, *parent, "r") + ")";
    std::uint64_t before = child->update.size();
    child->update.fill(query_, all_rows(*child, "update") + " UNION ALL SELECT " + child->columns("s") + " FROM " +
                                   child->see("present") + " s WHERE " + gone + " AND " + untouched(child, "s") +
                                   changed_since(*child, "s"));
    std::uint64_t cleared = child->update.size() - before;
    std::string list;
    for (const LiveColumn &column : child->live.columns) {
        bool nulled = std::any_of(key.pairs.begin(), key.pairs.end(), [&](const ForeignKey::Pair &pair) {
            return pair.nulled && pair.child_column == column.name;
        });
        std::string name = "s." + quote_name(column.name);
        list += (list.empty() ? "" : ", ") + (nulled ? "CASE WHEN " + gone + " THEN NULL ELSE " + name + " END" : name);
    }
    child->outside.fill(query_,
                        all_rows(*child, "outside") + " UNION ALL " + all_rows(*child, "update") + " s WHERE " + gone);
    child->update.fill(query_, "SELECT " + list + " FROM " + child->see("update") + " s");
    child->taken += cleared;
    tally(key).taken += cleared;
}

/// Rows to be written whose parent is neither there nor coming: bring it back from the snapshot, else unlink.
bool Closure::bring_back_parents(const ForeignKey &key) {
    TablePlan *child = plan_.table(key.child);
    if (!child || child->written() == 0)
        return false;
    plan_.order().look_at(child->live.name, child->written());
    if (leave_dependants(key, *child))
        return true;
    TupleStore orphans(child->see("orphans"), child->wanted.shape());
    orphans.show_to(query_);
    find_orphans(key, *child, orphans);
    std::uint64_t count = orphans.size();
    if (count > 0 && plan_.order().terms.parents == Terms::Parents::refuse) {
        refuse_orphans(key, *child, count, "are gone");
    } else if (count > 0) {
        TablePlan *parent = plan_.join(key.parent);
        if (!parent || take_parents(key, *child, *parent) == 0)
            unlink_orphans(key, *child, count);
    }
    orphans.hide();
    return count > 0;
}

void Closure::find_orphans(const ForeignKey &key, const TablePlan &child, TupleStore &orphans) {
    ReadableRelation parent = readable(key.parent);
    const TablePlan *planned = plan_.table(key.parent);
    std::string missing = "SELECT " + child.columns("t") + " FROM " + child.written_rows() + " t WHERE " +
                          key.refers_at_all("t") + " AND NOT EXISTS (SELECT FROM " + parent.from + " p WHERE " +
                          key.refers("p", "t") + " AND " + untouched(planned, "p") + reaches_community(key, child) +
                          ")";
    if (planned)
        missing += " AND NOT EXISTS (SELECT FROM " + planned->written_rows() + " p WHERE " + key.refers("p", "t") + ")";
    // A table's owner can read the tables on its path.
    AsOwner owner(child.table.via == key.name ? child.live.owner : parent.owner);
    orphans.fill(query_, missing);
}

/// "AND EXISTS (…)": by the foreign key that is its path, the child's row seen as t comes to this community and not,
/// with a parent that has moved since, to another.
std::string Closure::reaches_community(const ForeignKey &key, const TablePlan &child) const {
    return child.table.via == key.name ? " AND " + comes_to(joined_path(child.table), plan_.community()) : "";
}

/// Rows that refer to a row which was left out, and to no other: they are left out with it. True where there were any.
bool Closure::leave_dependants(const ForeignKey &key, TablePlan &child) {
    const TablePlan *parent = plan_.table(key.parent);
    if (!parent || parent->left_out.size() == 0)
        return false;
    TupleStore orphans(child.see("orphans"), child.wanted.shape());
    orphans.show_to(query_);
    find_orphans(key, child, orphans);
    std::uint64_t before = child.left_out.size();
    leave_out(query_, child,
              "EXISTS (SELECT FROM " + orphans.name() + " o WHERE " + child.same_key("o", "w") +
                  ") AND EXISTS (SELECT FROM " + parent->see("left_out") + " l WHERE " + key.refers("l", "w") + ")");
    orphans.hide();
    return child.left_out.size() > before;
}

/// Add to the plan those parents of the orphans that the snapshot has; return how many.
std::uint64_t Closure::take_parents(const ForeignKey &key, const TablePlan &child, TablePlan &parent) {
    std::uint64_t before = parent.insert.size();
    AsOwner owner(parent.live.owner);
    std::string returning = " SELECT " + parent.columns("w") + " FROM " + parent.see("wanted") +
                            " w WHERE EXISTS (SELECT FROM " + child.see("orphans") + " c WHERE " +
                            key.refers("w", "c") + ")" + not_in(parent, "present", "w") + not_in(parent, "insert", "w");
    parent.outside.fill(query_, all_rows(parent, "outside") + " UNION ALL" + returning);
    std::uint64_t after = parent.insert.fill(query_, all_rows(parent, "insert") + " UNION ALL" + returning);
    parent.returned += after - before;
    tally(key).returned += after - before;
    return after - before;
}

/// The orphans' parents are in no snapshot: set the reference to NULL where the column allows that, else refuse.
void Closure::unlink_orphans(const ForeignKey &key, TablePlan &child, std::uint64_t orphans) {
    auto may_go = [&](const ForeignKey::Pair &pair) {
        return pair.child_nullable && !is_path(child, key, pair.child_column);
    };
    std::vector<std::string> nullable;
    for (const ForeignKey::Pair &pair : key.pairs)
        if (may_go(pair) && can_be_null(child, key, may_go))
            nullable.push_back(pair.child_column);
    if (nullable.empty()) {
        std::uint64_t astray = count_astray(key, child);
        if (astray == 0)
            refuse_orphans(key, child, orphans, "are gone, and in no snapshot");
        else
            refuse_orphans(key, child, orphans,
                           astray == orphans ? "are there, but belong to the community no more"
                                             : "are gone, or belong to the community no more",
                           "Choose the option that covers them as well, or restore other options.");
        return;
    }
    AsOwner owner(child.live.owner);
    for (TupleStore *store : {&child.insert, &child.update, &child.reinsert}) {
        std::string list;
        for (const LiveColumn &column : child.live.columns) {
            std::string name = quote_name(column.name);
            bool unlinked = std::find(nullable.begin(), nullable.end(), column.name) != nullable.end();
            list += (list.empty() ? "" : ", ") +
                    (unlinked ? "CASE WHEN o.orphan THEN NULL ELSE s." + name + " END" : "s." + name);
        }
        store->fill(query_, "SELECT " + list + " FROM " + store->name() +
                                " s CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM " + child.see("orphans") +
                                " x WHERE " + child.same_key("x", "s") + ") AS orphan) o");
    }
    child.unlinked += orphans;
    tally(key).unlinked += orphans;
}

/// How many of the orphans have a parent that is there, and has fallen out of the community, or moved.
std::uint64_t Closure::count_astray(const ForeignKey &key, const TablePlan &child) const {
    if (child.table.via != key.name)
        return 0;
    AsOwner owner(child.live.owner);
    Rows rows = query_.run("SELECT pg_catalog.count(*) FROM " + child.see("orphans") + " o WHERE EXISTS (SELECT FROM " +
                           readable(key.parent).from + " p WHERE " + key.refers("p", "o") + ")");
    return static_cast<std::uint64_t>(rows[0].bigint(1));
}

/// The orphans cannot be written: an obstacle. Without them the rest can still be planned, and shown.
void Closure::refuse_orphans(const ForeignKey &key, TablePlan &child, std::uint64_t orphans, const std::string &why,
                             const std::string &hint) {
    std::string names;
    for (const KeyColumn &part : child.live.key)
        names += (names.empty() ? "" : ", ") + quote_name(child.live.columns[part.column].name);
    std::string first;
    {
        AsOwner owner(child.live.owner);
        first = query_
                    .run("SELECT pg_catalog.min(k) FROM (SELECT ROW(" + names + ")::text AS k FROM " +
                         child.see("orphans") + ") o")[0]
                    .text(1);
    }
    child.obstacles.push_back(
        Error(sqlstate::foreign_key_violation, rows_in_words(orphans) + " of " + child.live.name +
                                                   " cannot be restored: the rows of " + qualified_name(key.parent) +
                                                   " that they refer to " + why)
            .with_detail("Foreign key " + key.name + "; the first of these rows has the key " + first + ".")
            .with_hint(hint));
    leave_out(query_, child,
              "EXISTS (SELECT FROM " + child.see("orphans") + " o WHERE " + child.same_key("o", "w") + ")");
}

/// Rows that are changed in what rows that stay refer to: an obstacle.
void Closure::refuse_lost_values(const ForeignKey &key) {
    TablePlan *parent = plan_.table(key.parent);
    if (!parent || parent->changed() == 0)
        return;
    TupleStore lost(parent->see("lost"), parent->wanted.shape());
    lost.show_to(query_);
    {
        AsOwner owner(parent->live.owner);
        lost.fill(query_, all_rows(*parent, "present") + " p WHERE EXISTS (SELECT FROM " +
                              parent->all_of({"update", "reinsert"}) + " u WHERE " + parent->same_key("u", "p") + ")" +
                              not_taken_over(key, *parent, "p"));
    }
    if (lost.size() > 0) {
        ReadableRelation child = readable(key.child);
        AsOwner owner(child.owner);
        std::int64_t held =
            query_
                .run("SELECT count(*) FROM " + lost.name() + " p WHERE EXISTS (SELECT FROM " + child.from +
                     " c WHERE " + key.refers("p", "c") + " AND " + untouched(plan_.table(key.child), "c") + ")")[0]
                .bigint(1);
        if (held > 0)
            parent->obstacles.push_back(Error(sqlstate::foreign_key_violation,
                                              rows_in_words(held) + " of " + parent->live.name +
                                                  " cannot be restored: rows of " + qualified_name(key.child) +
                                                  ", which are not restored, refer to the value that they would lose")
                                            .with_detail("Foreign key " + key.name + ".")
                                            .with_hint("Restore the option that covers the referring rows as well."));
    }
    lost.hide();
}

bool Closure::leave_conflicts() {
    bool any = false;
    for (const auto &table : plan_.tables())
        any = snapback::leave_conflicts(query_, *table) || any;
    return any;
}

/// Forget updates that an unlinked reference has made the same as what is there.
void Closure::drop_idle_updates() {
    for (const auto &plan : plan_.tables())
        for (TupleStore *store : {&plan->update, &plan->reinsert})
            if (plan->unlinked > 0)
                store->fill(query_, "SELECT " + plan->columns("u") + " FROM " + store->name() + " u JOIN " +
                                        plan->see("present") + " p ON " + plan->same_key("u", "p") + " WHERE " +
                                        images_differ(plan->columns("u"), plan->columns("p")));
}

/// Count what was taken from beyond the selection.
void Closure::gather_what_was_taken() {
    for (const auto &table : plan_.tables()) {
        std::string taken = all_rows(*table, "remove") + " s WHERE true" + not_in(*table, "added", "s");
        if (!follows() || table->remove.size() == 0)
            continue;
        std::uint64_t before = table->outside.size();
        table->outside.fill(query_, all_rows(*table, "outside") + " UNION ALL " + taken);
        table->taken += table->outside.size() - before;
    }
}

/// How many of the rows that stay have rows of this key's child that refer to them.
std::uint64_t Closure::held_by(const ForeignKey &key, const TablePlan &parent) {
    const TablePlan *child = plan_.table(key.child);
    std::string holders_of_k = " EXISTS (SELECT FROM " + holders(key, child) + " AND " + key.refers("k", "c") + ")";
    if (child)
        holders_of_k += " OR EXISTS (SELECT FROM " + child->written_rows() + " c WHERE " + key.refers("k", "c") + ")";
    AsOwner owner(readable(key.child).owner);
    Rows rows = query_.run("SELECT pg_catalog.count(*) FROM " + parent.see("kept") + " k WHERE" + holders_of_k);
    return static_cast<std::uint64_t>(rows[0].bigint(1));
}

/// Say in words what the foreign keys have asked for.
void Closure::write_notes() {
    for (const ForeignKey &key : keys()) {
        TablePlan *parent = plan_.table(key.parent);
        std::uint64_t kept = parent && parent->kept.size() > 0 ? held_by(key, *parent) : 0;
        if (kept > 0)
            parent->notes.push_back(kept_note(key, kept, plan_.order().options));
    }
    for (const auto &[name, tally] : tallies_) {
        TablePlan *parent = plan_.table(tally.key.parent);
        TablePlan *child = plan_.table(tally.key.child);
        if (parent && tally.returned > 0)
            parent->notes.push_back(returned_note(tally.key, tally.returned));
        if (child && tally.unlinked > 0)
            child->notes.push_back(unlinked_note(tally.key, tally.unlinked));
        if (child && tally.taken > 0)
            child->notes.push_back(taken_note(tally.key, tally.taken));
    }
    for (const auto &table : plan_.tables())
        if (table->left_out.size() > 0 && table->obstacles.empty())
            table->notes.push_back(left_out_note(*table));
}

} // namespace snapback
