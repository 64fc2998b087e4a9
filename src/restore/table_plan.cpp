#include "restore/table_plan.hpp"

#include <algorithm>

#include "postgres/as_owner.hpp"

namespace snapback {

namespace {

/// "a.x", or "x" without an alias.
std::string of(const std::string &alias, const std::string &column) {
    return (alias.empty() ? "" : alias + ".") + quote_name(column);
}

} // namespace

std::string images_differ(const std::string &a, const std::string &b) {
    return "pg_catalog.record_image_ne(ROW(" + a + "), ROW(" + b + "))";
}

TablePlan::TablePlan(Query &query, const ProtectedTable &protected_table, RelationShape shape,
                     const ManifestTable &entry)
    : table(protected_table), live(std::move(shape)), stored(entry), computed(computed_columns(query, live)),
      wanted(see("wanted"), row_type(live, computed)), present(see("present"), row_type(live, computed)),
      strays(see("strays"), row_type(live, computed)), insert(see("insert"), row_type(live, computed)),
      update(see("update"), row_type(live, computed)), reinsert(see("reinsert"), row_type(live, computed)),
      added(see("added"), row_type(live, computed)), kept(see("kept"), row_type(live, computed)),
      remove(see("remove"), row_type(live, computed)), outside(see("outside"), row_type(live, computed)),
      left_out(see("left_out"), row_type(live, computed)), only(see("only"), row_type(live, computed)),
      children(see("children"), row_type(live, computed)), also(see("also"), row_type(live, computed)) {
    for (TupleStore *store : {&wanted, &present, &strays, &insert, &update, &reinsert, &added, &kept, &remove, &outside,
                              &left_out, &only, &children, &also})
        store->show_to(query);
}

std::string TablePlan::all_of(std::initializer_list<const char *> kinds) const {
    std::string all;
    for (const char *kind : kinds)
        all += std::string(all.empty() ? "" : " UNION ALL ") + "SELECT " + columns("") + " FROM " + see(kind);
    return "(" + all + ")";
}

void TablePlan::select_nothing() {
    selection.rows.clear();
    selection.parts.clear();
    for (TupleStore *store : {&wanted, &present})
        store->clear();
}

void TablePlan::compute(Query &query) {
    if (computed.empty())
        return;
    AsOwner owner(live.owner);
    for (TupleStore *store : {&wanted, &present})
        store->fill(query, with_computed("SELECT * FROM " + store->name()));
}

std::string TablePlan::columns(const std::string &alias) const {
    std::string list = plain_columns(alias);
    for (const ComputedColumn &column : computed)
        list += ", " + of(alias, column.name);
    return list;
}

std::string TablePlan::plain_columns(const std::string &alias) const {
    std::string list;
    for (const LiveColumn &column : live.columns)
        list += (list.empty() ? "" : ", ") + of(alias, column.name);
    return list;
}

std::string TablePlan::with_computed(const std::string &rows) const {
    if (computed.empty())
        return rows;
    std::string list = plain_columns("s");
    for (const ComputedColumn &column : computed)
        list += ", (" + column.expression + ") AS " + quote_name(column.name);
    return "SELECT " + list + " FROM (SELECT " + plain_columns("r") + " FROM (" + rows + ") r) s";
}

bool TablePlan::is_computed(const std::string &column) const {
    return std::ranges::any_of(computed, [&](const ComputedColumn &one) { return one.name == column; });
}

} // namespace snapback
