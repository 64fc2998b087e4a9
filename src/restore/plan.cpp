// The plan: what differs, closed under the foreign keys that lead in and out of it.
#include "restore/plan.hpp"

#include <algorithm>
#include <map>

#include "postgres/as_owner.hpp"
#include "restore/difference.hpp"
#include "restore/fitting_rows.hpp"

namespace snapback {

namespace {

/// Join conditions with OR, or with nothing where there are none.
void add_or(std::string &conditions, const std::string &condition) {
    conditions += (conditions.empty() ? "" : " OR ") + ("(" + condition + ")");
}

/// Gather what the chosen options cover of each table: table id → selection.
std::map<std::int32_t, Selection> selections(const std::vector<std::string> &options) {
    std::map<std::int32_t, Selection> chosen;
    Query query;
    for (Row row : query.run("SELECT table_id, coalesce(columns, '{}')::text[], coalesce(filter, 'true')"
                             " FROM snapback.coverage WHERE option = ANY ($1) ORDER BY table_id, option",
                             {Value::text_array(options)})) {
        Selection &selection = chosen[row.integer(1)];
        if (std::vector<std::string> columns = row.text_array(2); !columns.empty())
            selection.parts.push_back({std::move(columns), row.text(3)});
        else if (row.text(3) == "true" || selection.rows == "true")
            selection.rows = "true";
        else
            add_or(selection.rows, row.text(3));
    }
    return chosen;
}

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

} // namespace

Plan::Plan(Query &query, Manifest manifest, const std::vector<std::string> &options, Terms terms)
    : query_(query), manifest_(std::move(manifest)), terms_(std::move(terms)), protected_(protected_tables()) {
    add_selected_tables(options);
    find_foreign_keys();
    close_under_foreign_keys();
    drop_idle_updates();
    for (const auto &plan : tables_)
        for (std::string &misfit : misfits(query_, *plan))
            plan->obstacles.push_back(std::move(misfit));
}

void Plan::add_selected_tables(const std::vector<std::string> &options) {
    std::map<std::int32_t, Selection> chosen = selections(options);
    for (const ProtectedTable &table : protected_) {
        auto selection = chosen.find(table.id);
        if (selection == chosen.end())
            continue;
        const ManifestTable *stored = manifest_.table(table.id);
        if (!stored)
            throw Error(sqlstate::option_not_in_snapshot,
                        qualified_name(relation_of(table, community())) + " is not in snapshot " + manifest_.id)
                .with_hint("It was protected after that snapshot was taken; choose a later one, or other options.");
        work_out_changes(query_, add_table(table, *stored, selection->second));
    }
}

TablePlan &Plan::add_table(const ProtectedTable &table, const ManifestTable &stored, Selection selection) {
    tables_.push_back(
        std::make_unique<TablePlan>(query_, table, relation_shape(relation_of(table, community())), stored));
    TablePlan &plan = *tables_.back();
    plan.selection = std::move(selection);
    load_difference(plan, community());
    require_distinct_keys(query_, plan);
    return plan;
}

TablePlan *Plan::table(Oid relation) const {
    for (const auto &plan : tables_)
        if (plan->live.relation == relation)
            return plan.get();
    return nullptr;
}

bool Plan::is_protected(Oid relation) const {
    for (const ProtectedTable &table : protected_)
        if (table.relation == relation)
            return true;
    return this->table(relation) != nullptr;
}

void Plan::find_foreign_keys() {
    std::vector<Oid> relations;
    for (const auto &plan : tables_)
        relations.push_back(plan->live.relation);
    foreign_keys_ = foreign_keys_of(relations);
}

/// Keep what others hold and bring back what is referred to, until neither asks for more.
void Plan::close_under_foreign_keys() {
    for (bool changed = true; changed;) {
        changed = false;
        // The list grows where a parent's table joins the plan.
        std::vector<ForeignKey> keys = foreign_keys_;
        for (const ForeignKey &key : keys) {
            // In this order: a row that is kept is no missing parent.
            changed = keep_held_rows(key) || changed;
            changed = bring_back_parents(key) || changed;
        }
    }
}

/// Forget updates that an unlinked reference has made the same as what is there.
void Plan::drop_idle_updates() {
    for (const auto &plan : tables_)
        for (TupleStore *store : {&plan->update, &plan->reinsert})
            if (plan->unlinked > 0)
                store->fill(query_, "SELECT " + plan->columns("u") + " FROM " + store->name() + " u JOIN " +
                                        plan->see("present") + " p ON " + plan->same_key("u", "p") + " WHERE " +
                                        images_differ(plan->columns("u"), plan->columns("p")));
}

/// Rows that would be deleted, but that rows which stay refer to: they stay too. True where there were any.
bool Plan::keep_held_rows(const ForeignKey &key) {
    TablePlan *parent = table(key.parent);
    if (!parent || parent->remove.size() == 0)
        return false;
    const TablePlan *child = table(key.child);
    ReadableRelation child_relation = readable(key.child);
    std::uint64_t before = parent->remove.size();
    AsOwner owner(child_relation.owner);
    // One question at a time: joined by OR, they would be asked anew for every row.
    auto keep_those_of = [&](const std::string &children) {
        parent->remove.fill(query_, "SELECT " + parent->columns("r") + " FROM " + parent->see("remove") +
                                        " r WHERE NOT EXISTS (SELECT FROM " + children + " AND " +
                                        key.refers("r", "c") + ")");
    };
    keep_those_of(child_relation.from + " c WHERE " + untouched(child, "c"));
    if (child)
        keep_those_of(child->written_rows() + " c WHERE true");
    std::uint64_t left = parent->remove.size();
    parent->kept += before - left;
    return left < before;
}

/// Rows to be written whose parent is neither there nor coming: bring it back from the snapshot, else unlink.
bool Plan::bring_back_parents(const ForeignKey &key) {
    TablePlan *child = table(key.child);
    if (!child || child->written() == 0)
        return false;
    ReadableRelation parent_relation = readable(key.parent);
    const TablePlan *planned = table(key.parent);
    std::string missing = "SELECT " + child->columns("c") + " FROM " + child->written_rows() + " c WHERE " +
                          key.refers_at_all("c") + " AND NOT EXISTS (SELECT FROM " + parent_relation.from +
                          " p WHERE " + key.refers("p", "c") + " AND " + untouched(planned, "p") + ")";
    if (planned)
        missing += " AND NOT EXISTS (SELECT FROM " + planned->written_rows() + " p WHERE " + key.refers("p", "c") + ")";
    TupleStore orphans(child->see("orphans"), child->wanted.shape());
    orphans.show_to(query_);
    {
        AsOwner owner(parent_relation.owner);
        orphans.fill(query_, missing);
    }
    bool any = orphans.size() > 0;
    if (any) {
        TablePlan *parent = parent_plan(key.parent);
        if (!parent || take_parents(key, *child, *parent) == 0)
            unlink_orphans(key, *child, orphans.size());
    }
    orphans.hide();
    return any;
}

/// The plan of a parent's table: the one there is, or one of nothing but the rows that are brought back.
TablePlan *Plan::parent_plan(Oid parent) {
    if (TablePlan *plan = table(parent))
        return plan;
    for (const ProtectedTable &candidate : protected_) {
        const ManifestTable *stored = manifest_.table(candidate.id);
        if (!stored || relation_of(candidate, community()) != parent)
            continue;
        TablePlan &plan = add_table(candidate, *stored, {});
        find_foreign_keys();
        return &plan;
    }
    return nullptr;
}

/// Add to the plan those parents of the orphans that the snapshot has; return how many.
std::uint64_t Plan::take_parents(const ForeignKey &key, const TablePlan &child, TablePlan &parent) {
    std::uint64_t before = parent.insert.size();
    AsOwner owner(parent.live.owner);
    std::uint64_t after = parent.insert.fill(
        query_, "SELECT " + parent.columns("") + " FROM " + parent.see("insert") + " UNION ALL SELECT " +
                    parent.columns("w") + " FROM " + parent.see("wanted") + " w WHERE EXISTS (SELECT FROM " +
                    child.see("orphans") + " c WHERE " + key.refers("w", "c") + ") AND NOT EXISTS (SELECT FROM " +
                    parent.see("present") + " p WHERE " + parent.same_key("p", "w") + ") AND NOT EXISTS (SELECT FROM " +
                    parent.see("insert") + " i WHERE " + parent.same_key("i", "w") + ")");
    parent.returned += after - before;
    return after - before;
}

/// The orphans' parents are in no snapshot: set the reference to NULL where the column allows that, else refuse.
void Plan::unlink_orphans(const ForeignKey &key, TablePlan &child, std::uint64_t orphans) {
    std::vector<std::string> nullable;
    for (const ForeignKey::Pair &pair : key.pairs)
        if (pair.child_nullable)
            nullable.push_back(pair.child_column);
    if (nullable.empty()) {
        std::string names;
        for (const KeyColumn &part : child.live.key)
            names += (names.empty() ? "" : ", ") + quote_name(child.live.columns[part.column].name);
        Rows rows = query_.run("SELECT pg_catalog.min(k) FROM (SELECT ROW(" + names + ")::text AS k FROM " +
                               child.see("orphans") + ") o");
        throw Error(sqlstate::foreign_key_violation,
                    std::to_string(orphans) + " rows of " + child.live.name + " cannot be restored: the rows of " +
                        qualified_name(key.parent) + " that they refer to are gone, and in no snapshot")
            .with_detail("Foreign key " + key.name + "; the first of these rows has the key " + rows[0].text(1) + ".")
            .with_hint("Bring those rows back first, or restore other options.");
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
}

} // namespace snapback
