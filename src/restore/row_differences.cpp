#include "restore/row_differences.hpp"

#include "postgres/as_owner.hpp"

namespace snapback {

namespace {

/// "pg_catalog.jsonb_build_object('id', s.id, …)" over the key, for an alias.
std::string key_of(const TablePlan &plan, const std::string &alias) {
    std::string pairs;
    for (const KeyColumn &part : plan.live.key) {
        const std::string &name = plan.live.columns[part.column].name;
        pairs += (pairs.empty() ? "" : ", ") + quote_text(name) + ", " + alias + "." + quote_name(name);
    }
    return "pg_catalog.jsonb_build_object(" + pairs + ")";
}

/// The columns in which p and u differ, with the values of one of them.
std::string changed_columns(const TablePlan &plan, const std::string &alias) {
    std::string rows;
    for (const LiveColumn &column : plan.live.columns) {
        std::string name = quote_name(column.name);
        rows += (rows.empty() ? "(" : ", (") + quote_text(column.name) + ", pg_catalog.to_jsonb(" + alias + "." + name +
                "), " + images_differ("p." + name, "u." + name) + ")";
    }
    return "(SELECT pg_catalog.jsonb_object_agg(d.name, d.value) FROM (VALUES " + rows +
           ") d (name, value, differs) WHERE d.differs)";
}

/// Rows of one store, which are all one side: as they are, or as they will be.
std::string whole_rows(const TablePlan &plan, const char *kind, const std::string &action, bool as_they_are) {
    std::string row = "pg_catalog.to_jsonb(s.*)";
    std::string none = "CAST(NULL AS jsonb)";
    return "SELECT " + key_of(plan, "s") + ", " + quote_text(action) + ", " + (as_they_are ? row : none) + ", " +
           (as_they_are ? none : row) + " FROM (SELECT " + plan.plain_columns("") + " FROM " + plan.see(kind) + ") s";
}

} // namespace

void for_each_difference(Query &query, const TablePlan &plan, const std::function<void(const RowDifference &)> &visit) {
    std::string updates = "SELECT " + key_of(plan, "u") + ", 'update', " + changed_columns(plan, "p") + ", " +
                          changed_columns(plan, "u") + " FROM " + plan.all_of({"update", "reinsert"}) + " u JOIN " +
                          plan.see("present") + " p ON " + plan.same_key("p", "u");
    std::string all = whole_rows(plan, "insert", "insert", false) + " UNION ALL " + updates + " UNION ALL " +
                      whole_rows(plan, "remove", "delete", true) + " UNION ALL " +
                      whole_rows(plan, "kept", "keep", true) + " UNION ALL " +
                      whole_rows(plan, "left_out", "leave out", false);
    AsOwner owner(plan.live.owner);
    query.stream(all + " ORDER BY 2, 1", {}, [&](TupleTableSlot *slot) {
        call([&] { slot_getallattrs(slot); });
        auto value = [&](int i) { return Value{JSONBOID, slot->tts_values[i], slot->tts_isnull[i]}; };
        visit({value(0), string_from_varlena(slot->tts_values[1]), value(2), value(3)});
    });
}

} // namespace snapback
