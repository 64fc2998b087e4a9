#include "restore/plan/notes.hpp"

namespace snapback {

namespace {

/// "1 row added after the snapshot remains", "7 rows added after the snapshot remain".
std::string rows_that(std::uint64_t rows, const std::string &which, const char *one, const char *many) {
    return rows_in_words(rows) + " " + which + (rows == 1 ? one : many);
}

std::string through(const ForeignKey &key) {
    return " (foreign key " + key.name + ")";
}

} // namespace

std::string rows_in_words(std::uint64_t rows) {
    return std::to_string(rows) + (rows == 1 ? " row" : " rows");
}

std::string kept_note(const ForeignKey &key, std::uint64_t rows, const std::string &way_out) {
    return rows_that(rows, "added after the snapshot ", "remains", "remain") + ", because rows of " +
           qualified_name(key.child_part) + " refer to " + (rows == 1 ? "it" : "them") + through(key) + "; " + way_out;
}

std::string parents_note(const ForeignKey &key, std::uint64_t rows) {
    return rows_that(rows, "outside the selection ", "is restored", "are restored") + ", because restored rows of " +
           qualified_name(key.child_part) + " refer to " + (rows == 1 ? "it" : "them") + through(key);
}

std::string nulled_note(const ForeignKey &key, std::uint64_t rows, std::uint64_t changed) {
    const char *why = changed == 0      ? "no longer exists and is not in the snapshot"
                      : changed == rows ? "now has another value"
                                        : "no longer exists or now has another value";
    return rows_that(rows, "", "loses its reference", "lose their reference") + " to " +
           qualified_name(key.parent_part) + ": the referenced row " + why + through(key);
}

std::string cascaded_note(const ForeignKey &key, std::uint64_t rows) {
    bool cleared = key.on_delete == ForeignKey::OnDelete::set_null;
    return (cleared ? rows_that(rows, "", "loses its reference to deleted", "lose their references to deleted")
                    : rows_that(rows, "", "is deleted together with", "are deleted together with")) +
           " rows of " + qualified_name(key.parent_part) + through(key);
}

std::string skipped_note(const TablePlan &plan) {
    return rows_that(plan.skipped.size(), "", "is skipped", "are skipped") +
           ": other rows hold their unique value, or that of a row that they refer to";
}

} // namespace snapback
