#include "restore/check/whole_rows.hpp"

#include "postgres/exec/as_owner.hpp"

namespace snapback {

namespace {

/// The generated columns of a table as part of a select list: ", (expression) AS name …".
std::string generated_columns(Query &query, Oid relation) {
    std::string list;
    for (Row row : query.run("SELECT a.attname::text, pg_catalog.pg_get_expr(d.adbin, d.adrelid)"
                             " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_attrdef d"
                             "   ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
                             " WHERE a.attrelid = $1 AND a.attgenerated <> '' AND NOT a.attisdropped",
                             {Value::regclass(relation)}))
        list += ", (" + row.text(2) + ") AS " + quote_name(row.text(1));
    return list;
}

} // namespace

WholeRows::WholeRows(Query &query, const TablePlan &plan) : plan_(plan) {
    AsOwner owner(plan.live.owner); // constants in expressions depend on the settings under which they are read
    generated_list_ = generated_columns(query, plan.live.relation);
    for (std::size_t i = 0; i < plan.live.columns.size(); i++)
        defaults_.push_back(plan.mapped[i] ? ColumnDefault{}
                                           : column_default(plan.live.relation, plan.live.columns[i].number));
}

std::string WholeRows::query(bool changed_only) const {
    std::string rows = changed_only ? plan_.all_of({"update", "reinsert"}) : plan_.written_rows();
    return "(SELECT " + plan_.plain_columns("s") + generated_list_ + " FROM " + rows + " s)";
}

bool WholeRows::is_uncertain(AttrNumber number) const {
    for (std::size_t i = 0; i < defaults_.size(); i++)
        if (plan_.live.columns[i].number == number)
            return is_volatile(i);
    for (std::size_t i = 0; i < defaults_.size(); i++)
        if (is_volatile(i))
            return true; // a generated column may be computed from it
    return false;
}

} // namespace snapback
