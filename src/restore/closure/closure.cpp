#include "restore/closure/closure.hpp"

#include "restore/check/conflicts.hpp"
#include "restore/check/remedy.hpp"
#include "restore/plan/notes.hpp"

namespace snapback {

void Closure::run() {
    bool skips = plan_.spec().switches.on_conflict == RestoreOptions::OnConflict::skip;
    for (bool changed = true; changed;) {
        changed = skips && skip_conflicts();
        // Kept rows first, because a kept row is not a missing parent.
        changed = removals_.settle() || changed;
        for (const ForeignKey &key : plan_.foreign_keys())
            changed = missing_parents_.bring_back(key) || changed;
    }
    drop_idle_updates();
    removals_.clear_references();
    for (const ForeignKey &key : plan_.foreign_keys())
        refuse_lost_values(query_, plan_, key);
    removals_.gather_cascaded();
    removals_.forget_what_was_not_added();
    write_notes();
}

bool Closure::skip_conflicts() {
    bool any = false;
    for (const auto &table : plan_.tables())
        any = snapback::skip_conflicts(query_, *table) || any;
    return any;
}

/// Remove updates that no longer change anything, because a reference was set to NULL.
void Closure::drop_idle_updates() {
    for (const auto &plan : plan_.tables())
        for (TupleStore *store : {&plan->update, &plan->reinsert})
            if (plan->nulled > 0)
                store->fill(query_, "SELECT " + plan->columns("u") + " FROM " + store->name() + " u JOIN " +
                                        plan->see("present") + " p ON " + plan->same_key("u", "p") + " WHERE " +
                                        images_differ(plan->columns("u"), plan->columns("p")));
}

/// Suggest options that cover all rows of the child that refer to kept rows.
std::string Closure::way_out(const ForeignKey &key, const TablePlan &parent, std::uint64_t kept) const {
    std::string them = kept == 1 ? "it" : "them";
    const ProtectedTable *child = plan_.protected_table(key.child);
    if (!child)
        return "that table is not protected, so no option removes " + them;
    std::vector<std::string> each; // sufficient alone
    std::vector<std::string> some; // cover some of these rows
    std::string uncovered;
    for (Row row : query_.run("SELECT option, coalesce(filter, 'true') FROM snapback.coverage"
                              " WHERE table_id = $1 AND option = ANY ($2) AND columns IS NULL"
                              " ORDER BY pg_catalog.array_position($2, option)",
                              {Value::integer(child->id), Value::text_array(further_options(plan_, key.child))})) {
        std::string others = "(" + row.text(2) + ") IS NOT TRUE";
        uncovered += (uncovered.empty() ? "" : " AND ") + others;
        if (removals_.held_by(key, parent, others) == 0)
            each.push_back(row.text(1));
        else if (removals_.held_by(key, parent, "(" + row.text(2) + ") IS TRUE") > 0)
            some.push_back(row.text(1));
    }
    if (!each.empty())
        return "restore " + in_words(each, "or") + " as well to remove " + them;
    if (!some.empty() && removals_.held_by(key, parent, uncovered) == 0)
        return "restore " + in_words(some) + " as well to remove " + them;
    return "those rows remain too";
}

/// Add notes about the effects of the foreign keys.
void Closure::write_notes() {
    for (const ForeignKey &key : plan_.foreign_keys()) {
        TablePlan *parent = plan_.table(key.parent);
        std::uint64_t kept = parent && parent->kept.size() > 0 ? removals_.held_by(key, *parent) : 0;
        if (kept > 0) {
            parent->notes.push_back(kept_note(key, kept, way_out(key, *parent, kept)));
            parent->kept_by.push_back(key.child);
        }
    }
    for (const auto &[name, tally] : tallies_.all()) {
        TablePlan *parent = plan_.table(tally.key.parent);
        TablePlan *child = plan_.table(tally.key.child);
        if (parent && tally.parents > 0)
            parent->notes.push_back(parents_note(tally.key, tally.parents));
        if (child && tally.nulled > 0)
            child->notes.push_back(nulled_note(tally.key, tally.nulled, tally.changed));
        if (child && tally.cascaded > 0)
            child->notes.push_back(cascaded_note(tally.key, tally.cascaded));
    }
    for (const auto &table : plan_.tables())
        if (table->skipped.size() > 0 && table->obstacles.empty())
            table->notes.push_back(skipped_note(*table));
}

} // namespace snapback
