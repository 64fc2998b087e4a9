#include "restore/table_plan.hpp"

#include "snapshot/row_decoder.hpp"

namespace snapback {

std::string images_differ(const std::string &a, const std::string &b) {
    return "pg_catalog.record_image_ne(ROW(" + a + "), ROW(" + b + "))";
}

TablePlan::TablePlan(Query &query, const ProtectedTable &protected_table, RelationShape shape,
                     const ManifestTable &entry)
    : table(protected_table), live(std::move(shape)), stored(entry), wanted(see("wanted"), row_type(live)),
      present(see("present"), row_type(live)), strays(see("strays"), row_type(live)),
      insert(see("insert"), row_type(live)), update(see("update"), row_type(live)),
      reinsert(see("reinsert"), row_type(live)), added(see("added"), row_type(live)), kept(see("kept"), row_type(live)),
      remove(see("remove"), row_type(live)), outside(see("outside"), row_type(live)),
      left_out(see("left_out"), row_type(live)), only(see("only"), row_type(live)),
      children(see("children"), row_type(live)), also(see("also"), row_type(live)) {
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

std::string TablePlan::columns(const std::string &alias) const {
    std::string list;
    for (const LiveColumn &column : live.columns)
        list += (list.empty() ? "" : ", ") + (alias.empty() ? "" : alias + ".") + quote_name(column.name);
    return list;
}

} // namespace snapback
