#include "restore/plan/plan_rows.hpp"

#include "postgres/spi/free_prefix.hpp"

namespace snapback {

std::string condition_name(const TablePlan &plan, std::size_t i) {
    return quote_name(free_prefix(plan.live.relation) + "condition " + std::to_string(i));
}

std::string with_conditions(const TablePlan &plan, const std::string &store, const std::vector<std::string> &conditions,
                            const std::string &alias) {
    std::string list;
    for (std::size_t i = 0; i < conditions.size(); i++)
        if (!conditions[i].empty())
            list += ", (" + conditions[i] + ") IS TRUE AS " + condition_name(plan, i);
    return "(SELECT *" + list + " FROM " + store + ") " + alias;
}

std::string all_rows(const TablePlan &plan, const char *kind) {
    return "SELECT " + plan.columns("") + " FROM " + plan.see(kind);
}

std::string untouched(const TablePlan *plan, const std::string &row) {
    if (!plan)
        return "true";
    std::string condition;
    for (const char *kind : {"remove", "update", "reinsert"})
        condition += std::string(condition.empty() ? "" : " AND ") + "NOT EXISTS (SELECT FROM " + plan->see(kind) +
                     " x WHERE " + plan->same_key("x", row) + ")";
    return condition;
}

std::string not_in(const TablePlan &plan, const char *kind, const std::string &alias) {
    return " AND NOT EXISTS (SELECT FROM " + plan.see(kind) + " x WHERE " + plan.same_key("x", alias) + ")";
}

std::string changed_since(const TablePlan &plan, const std::string &alias) {
    std::string then;
    std::string now;
    for (std::size_t i = 0; i < plan.live.columns.size(); i++) {
        if (!plan.mapped[i])
            continue;
        std::string name = "." + quote_name(plan.live.columns[i].name);
        then += (then.empty() ? "w" : ", w") + name;
        now += (now.empty() ? "" : ", ") + alias + name;
    }
    return " AND NOT EXISTS (SELECT FROM " + plan.see("wanted") + " w WHERE " + plan.same_key("w", alias) +
           " AND NOT " + images_differ(then, now) + ")";
}

std::string not_to_return(const TablePlan &plan, const RestoreOptions &switches, const std::string &alias) {
    if (!switches.inserts || plan.selection.rows.empty())
        return "";
    return " AND NOT EXISTS (SELECT FROM (SELECT * FROM " + plan.see("wanted") + " WHERE (" + plan.selection.rows +
           ") IS TRUE) w WHERE " + plan.same_key("w", alias) + ")";
}

std::string not_taken_over(const ForeignKey &key, const TablePlan &parent, const std::string &alias) {
    if (parent.written() == 0)
        return "";
    return " AND NOT EXISTS (SELECT FROM " + parent.written_rows() + " w WHERE " + key.same_parent("w", alias) + ")";
}

} // namespace snapback
