// Selects the rows to delete: added rows, unless remaining rows refer to them. With the switch referenced: cascade, the
// ON DELETE actions of foreign keys apply.
#include "restore/closure/removals.hpp"

#include <algorithm>

#include "postgres/exec/as_owner.hpp"
#include "restore/closure/cleared_references.hpp"
#include "restore/plan/plan_rows.hpp"

namespace snapback {

bool Removals::settle() {
    bool any = false;
    for (bool changed = true; changed;) {
        changed = false;
        if (cascades())
            for (bool more = true; more;) {
                more = false;
                for (const ForeignKey &key : plan_.foreign_keys())
                    more = cascade_to_children(key) || more;
            }
        for (const ForeignKey &key : plan_.foreign_keys())
            changed = keep_held_rows(key) || changed;
        // If a row is kept, its cascades do not apply: start again without it.
        if (changed && cascades())
            start_again();
        any = any || changed;
    }
    return any;
}

/// Undo the cascades: delete the added rows except kept ones.
void Removals::start_again() {
    for (const auto &table : plan_.tables())
        table->remove.fill(query_, all_rows(*table, "added") + " s WHERE true" + not_in(*table, "kept", "s"));
    for (auto &[name, tally] : tallies_.all())
        tally.cascaded = 0;
}

/// Add rows that ON DELETE CASCADE of a foreign key deletes; return whether there were more.
bool Removals::cascade_to_children(const ForeignKey &key) {
    TablePlan *parent = plan_.table(key.parent);
    if (!parent || parent->remove.size() == 0 || key.on_delete != ForeignKey::OnDelete::cascade)
        return false;
    TablePlan *child = plan_.join(key.child);
    if (!child)
        return false; // not in the snapshot: the row is kept
    std::uint64_t before = child->remove.size();
    AsOwner owner(child->live.owner);
    child->remove.fill(query_, all_rows(*child, "remove") + " UNION ALL SELECT " + child->columns("p") + " FROM " +
                                   child->see("present") + " p WHERE EXISTS (SELECT FROM " + parent->see("remove") +
                                   " r WHERE " + key.refers("r", "p") + not_taken_over(key, *parent, "r") + ") AND " +
                                   untouched(child, "p") + not_in(*child, "kept", "p") + changed_since(*child, "p") +
                                   not_to_return(*child, plan_.spec().switches, "p"));
    tallies_.of(key).cascaded += child->remove.size() - before;
    return child->remove.size() > before;
}

/// Keep rows that remaining rows refer to; return whether there were any.
bool Removals::keep_held_rows(const ForeignKey &key) {
    TablePlan *parent = plan_.table(key.parent);
    if (!parent || parent->remove.size() == 0)
        return false;
    const TablePlan *child = cascades() ? plan_.join(key.child) : plan_.table(key.child);
    std::string held_by = holders(key, child);
    std::uint64_t before = parent->kept.size();
    AsOwner owner(readable(key.child_part).owner);
    // One query for each condition: with OR, each would be evaluated for every row.
    auto keep_those_of = [&](const std::string &children) {
        if (parent->remove.size() == 0)
            return;
        std::uint64_t kept = parent->kept.size();
        // Another row with the same values may take the place of a deleted one.
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

/// The rows that refer to a row of the parent and satisfy a condition, as a FROM clause with alias c and a WHERE
/// condition.
std::string Removals::holders(const ForeignKey &key, const TablePlan *child, const std::string &where) const {
    std::string from = readable(key.child_part).from;
    if (where != "true")
        from = "(SELECT * FROM " + from + " WHERE " + where + ")";
    std::string rows = from + " c WHERE " + untouched(child, "c");
    // References of this community that are set to NULL keep no row.
    if (cascades() && child && can_be_cleared(*child, key))
        rows += " AND NOT EXISTS (SELECT FROM " + child->see("present") + " x WHERE " + child->same_key("x", "c") +
                changed_since(*child, "x") + ")";
    return rows;
}

void Removals::clear_references() {
    if (cascades())
        for (const ForeignKey &key : plan_.foreign_keys())
            clear_references_by(key);
}

/// Set references to NULL by ON DELETE SET NULL; these updates are outside the selection.
void Removals::clear_references_by(const ForeignKey &key) {
    TablePlan *parent = plan_.table(key.parent);
    TablePlan *child = plan_.table(key.child);
    if (!parent || !child || parent->remove.size() == 0 || !can_be_cleared(*child, key))
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
    child->update.fill(query_, child->with_computed("SELECT " + list + " FROM " + child->see("update") + " s"));
    child->cascaded += cleared;
    tallies_.of(key).cascaded += cleared;
}

void Removals::gather_cascaded() {
    for (const auto &table : plan_.tables()) {
        std::string cascaded = all_rows(*table, "remove") + " s WHERE true" + not_in(*table, "added", "s");
        if (!cascades() || table->remove.size() == 0)
            continue;
        std::uint64_t before = table->outside.size();
        table->outside.fill(query_, all_rows(*table, "outside") + " UNION ALL " + cascaded);
        table->cascaded += table->outside.size() - before;
    }
}

void Removals::forget_what_was_not_added() {
    for (const auto &table : plan_.tables())
        if (cascades() && table->kept.size() > 0)
            table->kept.fill(query_, all_rows(*table, "kept") + " k WHERE EXISTS (SELECT FROM " + table->see("added") +
                                         " x WHERE " + table->same_key("x", "k") + ")");
}

std::uint64_t Removals::held_by(const ForeignKey &key, const TablePlan &parent, const std::string &where) const {
    const TablePlan *child = plan_.table(key.child);
    std::string holders_of_k =
        " EXISTS (SELECT FROM " + holders(key, child, where) + " AND " + key.refers("k", "c") + ")";
    if (child)
        holders_of_k += " OR EXISTS (SELECT FROM " + child->written_rows() + " c WHERE " + key.refers("k", "c") + ")";
    AsOwner owner(readable(key.child_part).owner);
    Rows rows = query_.run("SELECT pg_catalog.count(*) FROM " + parent.see("kept") + " k WHERE" + holders_of_k);
    return static_cast<std::uint64_t>(rows[0].bigint(1));
}

} // namespace snapback
