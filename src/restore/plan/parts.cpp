#include "restore/plan/parts.hpp"

#include <algorithm>

#include "postgres/exec/as_owner.hpp"
#include "postgres/spi/free_prefix.hpp"
#include "restore/plan/plan_rows.hpp"

namespace snapback {

namespace {

using Share = Selection::Share;

/// The number of rows that count for an option, of these outside the selection, and of current rows that satisfy its
/// filter.
struct Counts {
    std::uint64_t rows = 0;
    std::uint64_t beyond = 0;
    std::uint64_t now = 0;
};

/// Whether every option covers all rows with all columns, so that all figures count for each.
bool cover_everything(const std::vector<Share> &shares) {
    return std::ranges::all_of(shares,
                               [](const Share &share) { return share.columns.empty() && share.filter == "true"; });
}

/// Queries that assign the rows of a plan to options.
class SharedRows {
public:
    SharedRows(Query &query, const TablePlan &plan)
        : query_(query), plan_(plan), prefix_(free_prefix(plan.live.relation) + "share ") {
        for (const Share &share : plan.selection.shares)
            filters_.push_back(share.filter);
        filters_.emplace_back("true"); // whether the row exists
    }

    /// The rows of stores with a column for each option. Options with columns count only for updates.
    std::string rows(std::initializer_list<const char *> kinds, bool changes) const {
        const auto &shares = plan_.selection.shares;
        std::string list = plan_.columns("k");
        std::string any;
        for (std::size_t i = 0; i < shares.size(); i++) {
            std::string counts = covers(i, changes);
            list += ", " + counts + " AS " + name("in", i) + ", p." + condition_name(plan_, i) + " IS TRUE AS " +
                    name("now", i);
            any += (any.empty() ? "" : " OR ") + counts;
        }
        return "(SELECT " + list + ", NOT (" + any + ") AS " + name("in", shares.size()) + ", false AS " +
               name("now", shares.size()) + ", EXISTS (SELECT FROM " + plan_.see("outside") + " x WHERE " +
               plan_.same_key("x", "k") + ") AS " + name("beyond", 0) + " FROM " +
               beside_counterparts(kinds, filters_) + ")";
    }

    /// The rows that count for one option, or, with the number after the last one, for none.
    std::string rows_of(std::size_t share, std::initializer_list<const char *> kinds, bool changes) const {
        if (share == plan_.selection.shares.size())
            return "(SELECT " + plan_.columns("r") + " FROM " + rows(kinds, changes) + " r WHERE r." +
                   name("in", share) + ")";
        std::vector<std::string> asked(filters_.size()); // without the other options, which may be many
        asked[share] = filters_[share];
        asked.back() = filters_.back();
        return "(SELECT " + plan_.columns("k") + " FROM " + beside_counterparts(kinds, asked) + " WHERE " +
               covers(share, changes) + ")";
    }

    /// Count the rows of stores for each option, and last for none.
    std::vector<Counts> count(std::initializer_list<const char *> kinds, bool changes) const {
        std::string list;
        auto add = [&](const std::string &condition) {
            list += (list.empty() ? "" : ", ") + ("pg_catalog.count(*) FILTER (WHERE " + condition + ")");
        };
        for (std::size_t i = 0; i <= plan_.selection.shares.size(); i++) {
            add(name("in", i));
            add(name("in", i) + " AND " + name("beyond", 0));
            add(name("now", i) + (changes ? " AND " + name("in", i) : ""));
        }
        AsOwner owner(plan_.live.owner);
        Row row = query_.run("SELECT " + list + " FROM " + rows(kinds, changes) + " r")[0];
        std::vector<Counts> counts;
        for (int column = 1; counts.size() <= plan_.selection.shares.size(); column += 3)
            counts.push_back({static_cast<std::uint64_t>(row.bigint(column)),
                              static_cast<std::uint64_t>(row.bigint(column + 1)),
                              static_cast<std::uint64_t>(row.bigint(column + 2))});
        return counts;
    }

    /// Count the community's current rows that satisfy each filter.
    std::vector<std::uint64_t> count_live(const std::string &community) const {
        std::string list;
        for (const Share &share : plan_.selection.shares)
            list += (list.empty() ? "" : ", ") + ("pg_catalog.count(*) FILTER (WHERE (" + share.filter + ") IS TRUE)");
        std::string from = plan_.live.from() + " t";
        if (plan_.table.relation_name.empty()) {
            JoinedPath path = joined_path(plan_.table);
            from += path.joins + " WHERE " + path.column + " = CAST(" + quote_text(community) + " AS " +
                    path.type_name + ")";
        }
        AsOwner owner(plan_.live.owner);
        Row row =
            query_.run("SELECT " + list + " FROM (SELECT " + plan_.plain_columns("t") + " FROM " + from +
                       " UNION ALL SELECT " + plan_.plain_columns("s") + " FROM " + plan_.see("orphans") + " s) r")[0];
        std::vector<std::uint64_t> counts;
        for (std::size_t i = 0; i < plan_.selection.shares.size(); i++)
            counts.push_back(static_cast<std::uint64_t>(row.bigint(static_cast<int>(i) + 1)));
        return counts;
    }

private:
    std::string name(const char *what, std::size_t share) const {
        return quote_name(prefix_ + what + " " + std::to_string(share));
    }

    /// The rows k of stores with their counterparts w (snapshot) and p (now), and the results of the filters for these.
    std::string beside_counterparts(std::initializer_list<const char *> kinds,
                                    const std::vector<std::string> &filters) const {
        return plan_.all_of(kinds) + " k LEFT JOIN " + with_conditions(plan_, plan_.see("wanted"), filters, "w") +
               " ON " + plan_.same_key("w", "k") + " LEFT JOIN " +
               with_conditions(plan_, plan_.see("present"), filters, "p") + " ON " + plan_.same_key("p", "k");
    }

    /// The condition that row k counts for an option, over its counterparts w (snapshot) and p (now).
    std::string covers(std::size_t i, bool changes) const {
        const Share &share = plan_.selection.shares[i];
        std::string condition = condition_name(plan_, i);
        std::string met = "(w." + condition + " IS TRUE OR p." + condition + " IS TRUE)";
        if (share.columns.empty())
            return met;
        if (!changes)
            return "false"; // an option with columns neither adds nor deletes rows
        std::string then;
        std::string now;
        for (const std::string &column : share.columns) {
            then += (then.empty() ? "k." : ", k.") + quote_name(column);
            now += (now.empty() ? "p." : ", p.") + quote_name(column);
        }
        return "(" + met + " AND p." + condition_name(plan_, filters_.size() - 1) + " IS TRUE AND " +
               images_differ(then, now) + ")";
    }

    Query &query_;
    const TablePlan &plan_;
    std::string prefix_;
    std::vector<std::string> filters_;
};

std::vector<Part> empty_parts(const TablePlan &plan) {
    std::vector<Part> parts;
    for (const Share &share : plan.selection.shares)
        parts.push_back({share.option, {}, ""});
    parts.push_back({"", {}, ""});
    return parts;
}

/// Add counts to a figure of each part.
void add(std::vector<Part> &parts, const std::vector<Counts> &counts, std::uint64_t Figures::*rows,
         std::uint64_t Figures::*beyond) {
    for (std::size_t i = 0; i < parts.size(); i++) {
        parts[i].figures.*rows += counts[i].rows;
        if (beyond)
            parts[i].figures.*beyond += counts[i].beyond;
    }
}

bool is_untouched(const Figures &all) {
    return all.inserts + all.updates + all.deletes + all.kept + all.skipped == 0;
}

} // namespace

Figures figures_of(const TablePlan &plan) {
    return {plan.insert.size(), plan.changed(), plan.remove.size(), plan.left(),        plan.kept.size(),
            plan.parents,       plan.nulled,    plan.cascaded,      plan.skipped.size()};
}

std::vector<Part> parts_of(Query &query, const TablePlan &plan) {
    std::vector<Part> parts = empty_parts(plan);
    Figures all = figures_of(plan);
    if (cover_everything(plan.selection.shares)) {
        if (parts.size() > 1)
            parts.pop_back(); // no rows are outside the options
        for (Part &part : parts)
            part.figures = all;
        return parts;
    }
    if (is_untouched(all))
        return parts;
    SharedRows shared(query, plan);
    if (all.inserts > 0)
        add(parts, shared.count({"insert"}, false), &Figures::inserts, &Figures::parents);
    if (all.updates > 0)
        add(parts, shared.count({"update", "reinsert"}, true), &Figures::updates, &Figures::cascaded);
    if (all.deletes > 0)
        add(parts, shared.count({"remove"}, false), &Figures::deletes, &Figures::cascaded);
    if (all.kept > 0)
        add(parts, shared.count({"kept"}, false), &Figures::kept, nullptr);
    if (all.skipped > 0)
        add(parts, shared.count({"skipped"}, true), &Figures::skipped, nullptr);
    for (std::size_t i = 0; i < parts.size() && i < plan.nulled_by_option.size(); i++)
        parts[i].figures.nulled = plan.nulled_by_option[i];
    return parts;
}

void complete_parts(Query &query, const TablePlan &plan, const std::string &community, const Digest &all,
                    std::vector<Part> &parts) {
    if (cover_everything(plan.selection.shares) || !plan.obstacles.empty()) {
        for (Part &part : parts)
            part.digest = all.hex();
        return;
    }
    SharedRows shared(query, plan);
    std::vector<std::uint64_t> live = shared.count_live(community);
    auto subtract = [&](const std::vector<Counts> &changed) {
        for (std::size_t i = 0; i < live.size(); i++)
            live[i] -= std::min(live[i], changed[i].now);
    };
    if (plan.changed() > 0)
        subtract(shared.count({"update", "reinsert"}, true));
    if (plan.remove.size() > 0)
        subtract(shared.count({"remove"}, false));
    for (std::size_t i = 0; i < parts.size(); i++) {
        if (i < live.size())
            parts[i].figures.unchanged = live[i];
        const Figures &figures = parts[i].figures;
        if (figures.inserts + figures.updates + figures.deletes == 0)
            continue;
        parts[i].digest = digest_of(query, plan, figures.inserts > 0 ? shared.rows_of(i, {"insert"}, false) : "",
                                    figures.updates > 0 ? shared.rows_of(i, {"update", "reinsert"}, true) : "",
                                    figures.deletes > 0 ? shared.rows_of(i, {"remove"}, false) : "")
                              .hex();
    }
}

std::string as_row(const Figures &figures) {
    std::string row;
    for (auto member : all_figures)
        row += (row.empty() ? "(" : ",") + std::to_string(static_cast<std::int64_t>(figures.*member));
    return row + ")";
}

std::string as_array(const std::vector<Part> &parts) {
    std::string array;
    for (const auto &[option, figures, digest] : parts) // options have names of letters, digits, dots and underscores
        array += (array.empty() ? "{\"(" : ",\"(") + option + ",\\\"" + as_row(figures) + "\\\"," + digest + ")\"";
    return array.empty() ? "{}" : array + "}";
}

std::vector<std::uint64_t> count_by_option(Query &query, const TablePlan &plan, const char *store) {
    std::vector<std::uint64_t> counts;
    if (!cover_everything(plan.selection.shares))
        for (const Counts &found : SharedRows(query, plan).count({store}, true))
            counts.push_back(found.rows);
    return counts;
}

} // namespace snapback
