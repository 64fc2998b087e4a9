#include "restore/notes.hpp"

namespace snapback {

namespace {

/// "1 row", "7 rows".
std::string rows_in_words(std::uint64_t rows) {
    return std::to_string(rows) + (rows == 1 ? " row" : " rows");
}

std::string through(const ForeignKey &key) {
    return " (foreign key " + key.name + ")";
}

/// What would free rows that rows of this table hold.
std::string way_out(Oid holder, const std::vector<std::string> &chosen) {
    Query query;
    Row row = query.run("SELECT count(*) > 0, pg_catalog.string_agg(v.option, ' or ' ORDER BY v.option)"
                        "  FILTER (WHERE v.option <> ALL ($2))"
                        " FROM snapback.protected_table p JOIN pg_catalog.pg_class c ON c.oid = $1"
                        " LEFT JOIN snapback.coverage v ON v.table_id = p.id"
                        " WHERE p.relation = c.oid OR p.relation_name = c.relname",
                        {Value::regclass(holder), Value::text_array(chosen)})[0];
    if (!row.boolean(1))
        return "that table is not protected, so they cannot be removed here";
    if (std::optional<std::string> options = row.optional_text(2))
        return "restore " + *options + " as well to remove them";
    return "rows added since may hold rows in their turn";
}

} // namespace

std::string kept_note(const ForeignKey &key, std::uint64_t rows, const std::vector<std::string> &chosen) {
    return rows_in_words(rows) + " added since stay, because rows of " + qualified_name(key.child) + " refer to them" +
           through(key) + "; " + way_out(key.child, chosen);
}

std::string returned_note(const ForeignKey &key, std::uint64_t rows) {
    return rows_in_words(rows) + " not asked for come back, because restored rows of " + qualified_name(key.child) +
           " refer to them" + through(key);
}

std::string unlinked_note(const ForeignKey &key, std::uint64_t rows) {
    return rows_in_words(rows) + " lose their reference to " + qualified_name(key.parent) +
           ": what it named is gone, and in no snapshot" + through(key);
}

std::string taken_note(const ForeignKey &key, std::uint64_t rows) {
    bool cleared = key.on_delete == ForeignKey::OnDelete::set_null;
    return rows_in_words(rows) + (cleared ? " lose their reference to" : " go with their") + " removed rows of " +
           qualified_name(key.parent) + through(key);
}

std::string left_out_note(const TablePlan &plan) {
    return rows_in_words(plan.left_out.size()) +
           " are left out: other rows hold a unique value of theirs now, or of a row that they refer to";
}

} // namespace snapback
