// Selects single rows by key, and the rows that refer to them.
#include "restore/plan/row_choice.hpp"

#include "catalog/row_keys.hpp"
#include "postgres/exec/as_owner.hpp"
#include "postgres/spi/free_prefix.hpp"

namespace snapback {

namespace {

/// The condition that a store contains a certain row. The store's columns get names that hide no column of `beside`, so
/// that these can be used unqualified. `equals` returns a condition for the number and the new name of a column.
std::string is_in(const std::string &store, Oid beside, const std::vector<std::string> &columns,
                  const std::function<std::string(std::size_t, const std::string &)> &equals) {
    std::string prefix = free_prefix(beside) + "chosen ";
    std::string list;
    std::string names;
    std::string condition;
    for (std::size_t i = 0; i < columns.size(); i++) {
        std::string name = quote_name(prefix + std::to_string(i));
        list += (i ? ", " : "") + quote_name(columns[i]);
        names += (i ? ", " : "") + name;
        condition += (i ? " AND " : "") + equals(i, "k." + name);
    }
    return "EXISTS (SELECT FROM (SELECT " + list + " FROM " + store + " s) k (" + names + ") WHERE " + condition + ")";
}

std::string key_is_in(const TablePlan &plan, const TupleStore &store) {
    std::vector<std::string> columns;
    for (const KeyColumn &part : plan.live.key)
        columns.push_back(plan.live.columns[part.column].name);
    return is_in(store.name(), plan.live.relation, columns, [&](std::size_t i, const std::string &name) {
        return name + " " + plan.live.key[i].equals + " " + quote_name(columns[i]);
    });
}

/// A subquery with all rows that are chosen by key.
std::string chosen_rows(const TablePlan &plan) {
    return plan.all_of({"only", "children"});
}

bool has_chosen_rows(const TablePlan *plan) {
    return plan && plan->only.size() + plan->children.size() > 0;
}

std::string refers_into(const ForeignKey &key, const TablePlan &parent) {
    std::vector<std::string> columns;
    for (const ForeignKey::Pair &pair : key.pairs)
        columns.push_back(pair.parent_column);
    std::string rows = "(SELECT s.* FROM " + chosen_rows(parent) + " s WHERE true" + key.parent_belongs("s") + ")";
    return is_in(rows, key.child, columns,
                 [&](std::size_t i, const std::string &name) {
                     return key.refers(key.pairs[i], name, quote_name(key.pairs[i].child_column));
                 }) +
           key.child_belongs("");
}

/// The rows of both sides that satisfy a condition over unqualified column names.
std::string both_sides(const TablePlan &plan, const std::string &condition) {
    return "SELECT " + plan.columns("") + " FROM " + plan.see("wanted") + " WHERE " + condition + " UNION ALL SELECT " +
           plan.columns("") + " FROM " + plan.see("present") + " WHERE " + condition;
}

/// Fill a store with the rows that have these keys; each must exist on one side.
void fill_by_key(Query &query, TablePlan &plan, TupleStore &store, const std::string &keys, bool must_exist) {
    AsOwner owner(plan.live.owner);
    Value list = Value::text(keys);
    auto with_key = [&](const char *side) {
        return "SELECT " + plan.columns("s") + " FROM " + plan.see(side) + " s WHERE EXISTS (SELECT FROM " +
               keys_as_rows(plan.live) + " k WHERE " + plan.same_key("k", "s") + ")";
    };
    store.fill(query, with_key("wanted") + " UNION ALL " + with_key("present"), std::span<const Value>(&list, 1));
    if (!must_exist)
        return;
    Rows missing = query.run("SELECT k." + key_as_given(plan.live) + "::text FROM " + keys_as_rows(plan.live) +
                                 " k WHERE NOT EXISTS (SELECT FROM " + store.name() + " s WHERE " +
                                 plan.same_key("k", "s") + ") LIMIT 1",
                             {list});
    if (!missing.empty())
        throw Error(sqlstate::undefined_object,
                    "neither the snapshot nor " + plan.live.name + " has a row with the key " + missing[0].text(1))
            .with_hint("snapback.snapshot_rows() and snapback.diff_rows() show the existing keys.");
}

/// Add the children of a table's chosen rows by one foreign key; return whether there were more.
bool choose_children_by(Query &query, Plan &plan, const ForeignKey &key) {
    TablePlan *parent = plan.table(key.parent);
    if (!has_chosen_rows(parent))
        return false;
    TablePlan *child = plan.join(key.child, Extent::all);
    if (!child)
        return false; // not in the snapshot
    std::uint64_t before = child->children.size();
    if (child->selection.only.empty() && !child->selection.options.empty())
        return false; // completely chosen
    AsOwner owner(child->live.owner);
    child->children.fill(
        query, both_sides(*child, "(" + key_is_in(*child, child->children) + " OR " + refers_into(key, *parent) + ")"));
    if (before == 0 && child->children.size() > 0)
        child->selection.widen(key_is_in(*child, child->children));
    return child->children.size() > before;
}

/// Add references that were set to NULL, restricted to their columns.
void choose_references(Plan &plan, const ForeignKey &key) {
    TablePlan *parent = plan.table(key.parent);
    if (!has_chosen_rows(parent))
        return;
    TablePlan *child = plan.join(key.child);
    if (!child)
        return;
    std::vector<std::string> columns;
    for (const ForeignKey::Pair &pair : key.pairs)
        columns.push_back(pair.child_column);
    child->selection.parts.push_back({std::move(columns), refers_into(key, *parent)});
}

bool is_cleared(const ForeignKey &key) {
    return key.on_delete == ForeignKey::OnDelete::set_null || key.on_delete == ForeignKey::OnDelete::set_default;
}

} // namespace

void choose_rows(Query &query, TablePlan &plan, bool must_exist) {
    if (!plan.selection.only.empty()) {
        fill_by_key(query, plan, plan.only, plan.selection.only, must_exist);
        plan.selection.narrow(key_is_in(plan, plan.only));
    }
    if (!plan.selection.also.empty()) {
        fill_by_key(query, plan, plan.also, plan.selection.also, false);
        plan.selection.widen(key_is_in(plan, plan.also));
    }
}

void choose_children(Query &query, Plan &plan) {
    for (bool changed = true; changed;) {
        changed = false;
        // join() may extend the list.
        for (const ForeignKey &key : plan.foreign_keys())
            if (!is_cleared(key))
                changed = choose_children_by(query, plan, key) || changed;
    }
    for (const ForeignKey &key : plan.foreign_keys())
        if (is_cleared(key))
            choose_references(plan, key);
}

} // namespace snapback
