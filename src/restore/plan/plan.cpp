// The plan: selected rows that differ, completed by the foreign keys from and to their tables.
#include "restore/plan/plan.hpp"

#include <algorithm>

#include "restore/apply/always_fired.hpp"
#include "restore/check/violations.hpp"
#include "restore/closure/closure.hpp"
#include "restore/closure/orphans.hpp"
#include "restore/plan/difference.hpp"
#include "restore/plan/drift.hpp"
#include "restore/plan/row_choice.hpp"

namespace snapback {

namespace {

/// Whether a protected table is this relation in this community; false if the community lacks the table.
bool is_relation(const ProtectedTable &table, const std::string &community, Oid relation) {
    if (table.relation_name.empty())
        return table.relation == relation;
    const char *name = call([&] { return get_rel_name(relation); });
    return name && table.relation_name == name && relation_of(table, community) == relation;
}

/// What is stored to find the changes since a snapshot, if they can be found.
std::optional<Basis> basis_of(const Manifest &manifest) {
    if (!manifest.basis)
        return std::nullopt;
    std::map<std::string, Basis> bases = read_bases({*manifest.basis});
    auto found = bases.find(*manifest.basis);
    return found == bases.end() ? std::nullopt : std::optional(std::move(found->second));
}

} // namespace

Plan::Plan(Query &query, const RestoreSpec &spec, CurrentRows &current)
    : query_(query), spec_(spec), current_(current), protected_(protected_tables()), basis_(basis_of(spec.manifest)) {
    add_selected_tables();
    if (spec_.switches.children)
        choose_children(query_, *this);
    for (const auto &plan : tables_) {
        spec_.look_at(plan->live.name, plan->wanted.size());
        work_out_changes(query_, *plan, spec_.switches);
    }
    Closure(query_, *this).run();
    for (const auto &plan : tables_) {
        spec_.look_at(plan->live.name, plan->written());
        find_violations(query_, *plan, foreign_keys_);
        find_always_rules(query_, *plan);
        find_refusing_publications(query_, *plan);
        for (std::string &note : drift_notes(plan->stored, plan->live))
            plan->notes.push_back(std::move(note));
    }
}

void Plan::add_selected_tables() {
    Selections selections = select_tables(protected_, community(), spec_.options, spec_.switches);
    add_rows_touched_outside(selections, spec_.manifest.id, spec_.options);
    for (const ProtectedTable &table : protected_) {
        auto selection = selections.find(table.id);
        if (selection == selections.end())
            continue;
        const ManifestTable *stored = spec_.manifest.table(table.id);
        if (!stored)
            throw Error(sqlstate::option_not_in_snapshot,
                        qualified_name(relation_of(table, community())) + " is not in snapshot " + spec_.manifest.id)
                .with_hint("It was protected after that snapshot was taken; choose a later one, or other options.");
        std::optional<RelationShape> live = look_up(table, *stored, selection->second);
        if (!live)
            continue;
        bool by_key = !selection->second.only.empty() || !selection->second.also.empty();
        TablePlan &plan = add_table(table, std::move(*live), *stored, std::move(selection->second),
                                    by_key ? Extent::all : Extent::differing);
        if (!plan.obstacles.empty())
            continue;
        note_obstacle(plan, find_unusable_option(query_, plan, spec_.options));
        // In an undo, a named row may have been inserted and deleted again.
        choose_rows(query_, plan, spec_.rows_must_exist && spec_.manifest.kind != "before_restore");
    }
    find_foreign_keys();
}

/// Add an obstacle to a table whose schema has changed too much, and plan nothing for it. The other tables can still be
/// planned and shown.
void Plan::note_obstacle(TablePlan &plan, std::optional<Error> obstacle) {
    if (!obstacle)
        return;
    plan.obstacles.emplace_back(std::move(*obstacle));
    plan.select_nothing();
}

/// Find the live table that a chosen one is restored into. If there is none that can be restored, add an obstacle; the
/// other tables can still be planned and shown.
std::optional<RelationShape> Plan::look_up(const ProtectedTable &table, const ManifestTable &stored,
                                           const Selection &selection) {
    std::optional<RelationShape> live;
    if (std::optional<UndoneError> error = attempt([&] { live = shape_to_restore(table, spec_.manifest, stored); })) {
        if (error->raised_by_postgres)
            error->raise();
        unusable_.push_back({name_then(stored), selection.options, error->as_error()});
        live.reset();
    }
    return live;
}

TablePlan &Plan::add_table(const ProtectedTable &table, RelationShape live, const ManifestTable &stored,
                           Selection selection, Extent extent) {
    tables_.push_back(std::make_unique<TablePlan>(query_, table, std::move(live), stored));
    TablePlan &plan = *tables_.back();
    by_relation_.emplace(plan.live.relation, &plan);
    plan.selection = std::move(selection);
    spec_.look_at(plan.live.name, static_cast<std::uint64_t>(stored.rows));
    note_obstacle(plan, load(plan, extent));
    return plan;
}

/// Read both sides of a table; return an error if it cannot be planned.
std::optional<Error> Plan::load(TablePlan &plan, Extent extent) {
    std::optional<Error> obstacle = load_difference(plan, community(), current_, extent, basis_ ? &*basis_ : nullptr);
    if (!obstacle)
        obstacle = include_orphans(query_, plan, path_parent(plan), community(), current_, extent);
    if (!obstacle)
        obstacle = find_indistinct_keys(query_, plan);
    if (!obstacle)
        plan.complete(query_);
    return obstacle;
}

/// The plan of the table that the path of this one leads through.
const TablePlan *Plan::path_parent(const TablePlan &plan) const {
    std::optional<ForeignKey> key =
        plan.table.via.empty() ? std::nullopt : find_foreign_key(plan.live.relation, plan.table.via);
    return key ? table(key->parent) : nullptr;
}

TablePlan *Plan::table(Oid relation) const {
    auto found = by_relation_.find(relation);
    return found == by_relation_.end() ? nullptr : found->second;
}

TablePlan *Plan::join(Oid relation, Extent extent) {
    if (TablePlan *plan = table(relation))
        return plan;
    for (const ProtectedTable &candidate : protected_) {
        const ManifestTable *stored = spec_.manifest.table(candidate.id);
        if (!stored || !is_relation(candidate, community(), relation))
            continue;
        TablePlan &plan =
            add_table(candidate, shape_to_restore(candidate, spec_.manifest, *stored), *stored, {}, extent);
        find_foreign_keys();
        return &plan;
    }
    return nullptr;
}

std::vector<const TablePlan *> Plan::tables_by_name() const {
    std::vector<const TablePlan *> tables;
    for (const auto &plan : tables_)
        tables.push_back(plan.get());
    std::sort(tables.begin(), tables.end(), [](const auto *a, const auto *b) { return a->live.name < b->live.name; });
    return tables;
}

const ProtectedTable *Plan::protected_table(Oid relation) const {
    for (const ProtectedTable &table : protected_)
        if (is_relation(table, community(), relation))
            return &table;
    return nullptr;
}

bool Plan::writes_rows() const {
    return std::ranges::any_of(tables_, [](const auto &table) { return table->written() + table->remove.size() > 0; });
}

void Plan::require_no_obstacle() const {
    if (!unusable_.empty())
        throw Error(unusable_.front().obstacle);
    for (const auto &plan : tables_)
        if (!plan->obstacles.empty())
            throw Error(plan->obstacles.front().error);
}

void Plan::forget_snapshot_rows() {
    for (const auto &plan : tables_)
        plan->wanted.clear();
}

void Plan::find_foreign_keys() {
    std::vector<Oid> relations;
    for (const auto &plan : tables_)
        relations.push_back(plan->live.relation);
    foreign_keys_ = foreign_keys_of(relations);
}

} // namespace snapback
