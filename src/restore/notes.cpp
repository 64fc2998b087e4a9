#include "restore/notes.hpp"

namespace snapback {

namespace {

/// "1 row added since stays", "7 rows added since stay".
std::string rows_that(std::uint64_t rows, const std::string &which, const char *one, const char *many) {
    return rows_in_words(rows) + " " + which + (rows == 1 ? one : many);
}

std::string through(const ForeignKey &key) {
    return " (foreign key " + key.name + ")";
}

/// What would free rows that rows of this table hold.
std::string way_out(Oid holder, const std::vector<std::string> &chosen, const std::string &them) {
    Query query;
    Row row = query.run("SELECT count(*) > 0, pg_catalog.string_agg(v.option, ' or ' ORDER BY v.option)"
                        "  FILTER (WHERE v.option <> ALL ($2))"
                        " FROM snapback.protected_table p JOIN pg_catalog.pg_class c ON c.oid = $1"
                        " LEFT JOIN snapback.coverage v ON v.table_id = p.id"
                        " WHERE p.relation = c.oid OR p.relation_name = c.relname",
                        {Value::regclass(holder), Value::text_array(chosen)})[0];
    if (!row.boolean(1))
        return "that table is not protected, so nothing here removes " + them;
    if (std::optional<std::string> options = row.optional_text(2))
        return "restore " + *options + " as well to remove " + them;
    return "those rows stay as well";
}

} // namespace

std::string rows_in_words(std::uint64_t rows) {
    return std::to_string(rows) + (rows == 1 ? " row" : " rows");
}

std::string kept_note(const ForeignKey &key, std::uint64_t rows, const std::vector<std::string> &chosen) {
    std::string them = rows == 1 ? "it" : "them";
    return rows_that(rows, "added since ", "stays", "stay") + ", because rows of " + qualified_name(key.child_part) +
           " refer to " + them + through(key) + "; " + way_out(key.child, chosen, them);
}

std::string returned_note(const ForeignKey &key, std::uint64_t rows) {
    return rows_that(rows, "not asked for ", "comes back", "come back") + ", because restored rows of " +
           qualified_name(key.child_part) + " refer to " + (rows == 1 ? "it" : "them") + through(key);
}

std::string unlinked_note(const ForeignKey &key, std::uint64_t rows, std::uint64_t changed) {
    const char *why = changed == 0      ? "is gone, and in no snapshot"
                      : changed == rows ? "has another value by now"
                                        : "is gone, or has another value by now";
    return rows_that(rows, "", "loses its reference", "lose their reference") + " to " +
           qualified_name(key.parent_part) + ": what it named " + why + through(key);
}

std::string taken_note(const ForeignKey &key, std::uint64_t rows) {
    bool cleared = key.on_delete == ForeignKey::OnDelete::set_null;
    return (cleared ? rows_that(rows, "", "loses its reference to", "lose their references to")
                    : rows_that(rows, "", "goes with", "go with")) +
           " removed rows of " + qualified_name(key.parent_part) + through(key);
}

std::string left_out_note(const TablePlan &plan) {
    return rows_that(plan.left_out.size(), "", "is left out", "are left out") +
           ": other rows hold a unique value of theirs now, or of a row that they refer to";
}

} // namespace snapback
