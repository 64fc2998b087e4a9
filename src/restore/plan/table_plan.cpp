#include "restore/plan/table_plan.hpp"

#include "postgres/catalog/column_default.hpp"
#include "postgres/exec/as_owner.hpp"

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
      orphans(see("orphans"), row_type(live, computed)), insert(see("insert"), row_type(live, computed)),
      update(see("update"), row_type(live, computed)), reinsert(see("reinsert"), row_type(live, computed)),
      added(see("added"), row_type(live, computed)), kept(see("kept"), row_type(live, computed)),
      remove(see("remove"), row_type(live, computed)), outside(see("outside"), row_type(live, computed)),
      skipped(see("skipped"), row_type(live, computed)), only(see("only"), row_type(live, computed)),
      children(see("children"), row_type(live, computed)), also(see("also"), row_type(live, computed)) {
    for (TupleStore *store : {&wanted, &present, &orphans, &insert, &update, &reinsert, &added, &kept, &remove,
                              &outside, &skipped, &only, &children, &also})
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

void TablePlan::complete(Query &query) {
    AsOwner owner(live.owner);
    if (std::optional<std::string> given = with_defaults())
        wanted.fill(query, with_computed(*given));
    else if (!computed.empty())
        wanted.fill(query, with_computed("SELECT * FROM " + wanted.name()));
    if (!computed.empty())
        present.fill(query, with_computed("SELECT * FROM " + present.name()));
}

/// The rows of the snapshot with the defaults of columns that are not in it; empty if there are no such columns.
std::optional<std::string> TablePlan::with_defaults() const {
    std::string list;
    bool any = false;
    for (std::size_t i = 0; i < live.columns.size(); i++) {
        std::string name = quote_name(live.columns[i].name);
        ColumnDefault given = mapped[i] ? ColumnDefault{} : column_default(live.relation, live.columns[i].number);
        any = any || given.expression;
        list += (i ? ", " : "") + (given.expression ? "(" + *given.expression + ") AS " + name : name);
    }
    return any ? std::optional("SELECT " + list + " FROM " + wanted.name()) : std::nullopt;
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

bool TablePlan::takes(const std::string &column) const {
    std::size_t at = live.column_named(column);
    return at < live.columns.size() && mapped[at];
}

} // namespace snapback
