// Restores missing parents: rows that written rows refer to, and that do not exist and are not inserted.
#include "restore/closure/missing_parents.hpp"

#include <algorithm>

#include "postgres/exec/as_owner.hpp"
#include "restore/check/conflicts.hpp"
#include "restore/closure/cleared_references.hpp"
#include "restore/plan/notes.hpp"
#include "restore/plan/parts.hpp"
#include "restore/plan/plan_rows.hpp"

namespace snapback {

bool MissingParents::bring_back(const ForeignKey &key) {
    TablePlan *child = plan_.table(key.child);
    if (!child || child->written() == 0)
        return false;
    plan_.spec().look_at(child->live.name, child->written());
    if (leave_dependants(key, *child))
        return true;
    TupleStore dangling(child->see("dangling"), child->wanted.shape());
    dangling.show_to(query_);
    find_dangling_rows(key, *child, dangling);
    std::uint64_t count = dangling.size();
    if (count > 0 && plan_.spec().switches.missing_parents == RestoreOptions::OnMissingParent::error) {
        refuse_dangling_rows(key, *child, count, {"no longer exist"});
    } else if (count > 0) {
        TablePlan *parent = plan_.join(key.parent);
        if (!parent || take_parents(key, *child, *parent) == 0)
            null_references(key, *child, count);
    }
    dangling.hide();
    return count > 0;
}

/// Find written rows whose reference by this key has no row after the restore.
void MissingParents::find_dangling_rows(const ForeignKey &key, const TablePlan &child, TupleStore &dangling) {
    ReadableRelation parent = readable(key.parent_part);
    const TablePlan *planned = plan_.table(key.parent);
    std::string missing = "SELECT " + child.columns("t") + " FROM " + child.written_rows() + " t WHERE " +
                          key.refers_at_all("t") + " AND NOT EXISTS (SELECT FROM " + parent.from + " p WHERE " +
                          key.refers("p", "t") + " AND " + untouched(planned, "p") + reaches_community(key, child) +
                          ")";
    if (planned)
        missing += " AND NOT EXISTS (SELECT FROM " + planned->written_rows() + " p WHERE " + key.refers("p", "t") + ")";
    // The owner of a table can read the tables on its path.
    AsOwner owner(child.table.via == key.name ? child.live.owner : parent.owner);
    dangling.fill(query_, missing);
}

/// "AND EXISTS (…)": if the foreign key is the path of the child, its row t leads to this community, and not, by a
/// moved parent, to another.
std::string MissingParents::reaches_community(const ForeignKey &key, const TablePlan &child) const {
    return child.table.via == key.name ? " AND " + comes_to(joined_path(child.table), plan_.community()) : "";
}

/// Skip rows that refer to a skipped row only; return whether there were any.
bool MissingParents::leave_dependants(const ForeignKey &key, TablePlan &child) {
    const TablePlan *parent = plan_.table(key.parent);
    if (!parent || parent->skipped.size() == 0)
        return false;
    TupleStore dangling(child.see("dangling"), child.wanted.shape());
    dangling.show_to(query_);
    find_dangling_rows(key, child, dangling);
    std::uint64_t before = child.skipped.size();
    skip_rows(query_, child,
              "EXISTS (SELECT FROM " + dangling.name() + " o WHERE " + child.same_key("o", "w") +
                  ") AND EXISTS (SELECT FROM " + parent->see("skipped") + " l WHERE " + key.refers("l", "w") + ")");
    dangling.hide();
    return child.skipped.size() > before;
}

/// Add the parents of dangling rows that are in the snapshot to the plan; return their number.
std::uint64_t MissingParents::take_parents(const ForeignKey &key, const TablePlan &child, TablePlan &parent) {
    std::uint64_t before = parent.insert.size();
    AsOwner owner(parent.live.owner);
    std::string returning = " SELECT " + parent.columns("w") + " FROM " + parent.see("wanted") +
                            " w WHERE EXISTS (SELECT FROM " + child.see("dangling") + " c WHERE " +
                            key.refers("w", "c") + ")" + not_in(parent, "present", "w") + not_in(parent, "insert", "w");
    parent.outside.fill(query_, all_rows(parent, "outside") + " UNION ALL" + returning);
    std::uint64_t after = parent.insert.fill(query_, all_rows(parent, "insert") + " UNION ALL" + returning);
    parent.parents += after - before;
    tallies_.of(key).parents += after - before;
    return after - before;
}

/// Set references to NULL whose parents are not in the snapshot or have another value; add an obstacle if the column
/// does not allow NULL.
void MissingParents::null_references(const ForeignKey &key, TablePlan &child, std::uint64_t dangling) {
    auto may_go = [&](const ForeignKey::Pair &pair) {
        return pair.child_nullable && child.takes(pair.child_column) && !is_path(child, key, pair.child_column);
    };
    std::vector<std::string> nullable;
    for (const ForeignKey::Pair &pair : key.pairs)
        if (may_go(pair) && can_be_null(child, key, may_go))
            nullable.push_back(pair.child_column);
    if (nullable.empty()) {
        refuse_dangling_rows(key, child, dangling, why_not_nulled(key, child, dangling));
        return;
    }
    AsOwner owner(child.live.owner);
    for (TupleStore *store : {&child.insert, &child.update, &child.reinsert}) {
        std::string list;
        for (const LiveColumn &column : child.live.columns) {
            std::string name = quote_name(column.name);
            bool nulled = std::find(nullable.begin(), nullable.end(), column.name) != nullable.end();
            list += (list.empty() ? "" : ", ") +
                    (nulled ? "CASE WHEN o.dangling THEN NULL ELSE s." + name + " END" : "s." + name);
        }
        store->fill(query_,
                    child.with_computed("SELECT " + list + " FROM " + store->name() +
                                        " s CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM " + child.see("dangling") +
                                        " x WHERE " + child.same_key("x", "s") + ") AS dangling) o"));
    }
    tallies_.of(key).changed += count_changed(key, child);
    child.nulled += dangling;
    child.nulled_by_option.resize(child.selection.shares.size() + 1);
    std::vector<std::uint64_t> by_option = count_by_option(query_, child, "dangling");
    for (std::size_t i = 0; i < by_option.size(); i++)
        child.nulled_by_option[i] += by_option[i];
    tallies_.of(key).nulled += dangling;
}

/// Distinguish parents that do not exist, that left the community, and that have another value now.
MissingParents::Refusal MissingParents::why_not_nulled(const ForeignKey &key, const TablePlan &child,
                                                       std::uint64_t dangling) const {
    const char *change = "undo the changes of those rows first, or restore other options";
    if (std::uint64_t astray = count_astray(key, child))
        return {astray == dangling ? "no longer belong to the community"
                                   : "no longer exist or no longer belong to the community",
                change};
    if (std::uint64_t changed = count_changed(key, child))
        return {changed == dangling ? "now have another value" : "no longer exist or now have another value", change};
    return {"no longer exist and are not in the snapshot"};
}

/// Count the dangling rows whose parent exists outside the community.
std::uint64_t MissingParents::count_astray(const ForeignKey &key, const TablePlan &child) const {
    if (child.table.via != key.name)
        return 0;
    AsOwner owner(child.live.owner);
    Rows rows =
        query_.run("SELECT pg_catalog.count(*) FROM " + child.see("dangling") + " o WHERE EXISTS (SELECT FROM " +
                   readable(key.parent_part).from + " p WHERE " + key.refers("p", "o") + ")");
    return static_cast<std::uint64_t>(rows[0].bigint(1));
}

/// Count the dangling rows whose parent is in the snapshot: it was not restored, so it exists with another value.
std::uint64_t MissingParents::count_changed(const ForeignKey &key, const TablePlan &child) const {
    const TablePlan *parent = plan_.table(key.parent);
    if (!parent)
        return 0;
    AsOwner owner(parent->live.owner);
    Rows rows =
        query_.run("SELECT pg_catalog.count(*) FROM " + child.see("dangling") + " o WHERE EXISTS (SELECT FROM " +
                   parent->see("wanted") + " w WHERE " + key.refers("w", "o") + ")");
    return static_cast<std::uint64_t>(rows[0].bigint(1));
}

/// Add an obstacle for the dangling rows and remove them, so that the rest of the plan can be shown.
void MissingParents::refuse_dangling_rows(const ForeignKey &key, TablePlan &child, std::uint64_t dangling,
                                          const Refusal &refusal) {
    std::string names;
    for (const KeyColumn &part : child.live.key)
        names += (names.empty() ? "" : ", ") + quote_name(child.live.columns[part.column].name);
    std::string first;
    {
        AsOwner owner(child.live.owner);
        first = query_
                    .run("SELECT pg_catalog.min(k) FROM (SELECT ROW(" + names + ")::text AS k FROM " +
                         child.see("dangling") + ") o")[0]
                    .text(1);
    }
    auto sentence = [](std::string text) {
        text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
        return text + ".";
    };
    child.obstacles.emplace_back(
        Error(sqlstate::foreign_key_violation, rows_in_words(dangling) + " of " + child.live.name +
                                                   " cannot be restored: the referenced rows of " +
                                                   qualified_name(key.parent_part) + " " + refusal.why)
            .with_detail("Foreign key " + key.name + "; the first of these rows has the key " + first + ".")
            .with_hint(sentence(refusal.otherwise)),
        key.name, key.parent, [=](const std::string &remedy) { return sentence(remedy + ", " + refusal.otherwise); });
    skip_rows(query_, child,
              "EXISTS (SELECT FROM " + child.see("dangling") + " o WHERE " + child.same_key("o", "w") + ")");
}

} // namespace snapback
