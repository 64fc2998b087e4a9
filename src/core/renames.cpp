#include "core/renames.hpp"

#include <algorithm>

namespace snapback {

namespace {

using Names = std::vector<std::optional<std::string>>;

bool contains(const std::vector<std::string> &names, const std::string &name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

bool contains(const Names &names, const std::optional<std::string> &name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

/// Apply renames to one name.
std::optional<std::string> follow(const std::string &name, const Renames &renames) {
    auto renamed = std::find(renames.from.begin(), renames.from.end(), name);
    if (renamed != renames.from.end())
        return renames.to[static_cast<std::size_t>(renamed - renames.from.begin())];
    if (contains(renames.to, name))
        return std::nullopt;
    return name;
}

/// Like follow_renames, but a column that takes one of `names` represents that name from then on.
Names follow_bearers(const std::vector<std::string> &names, std::int64_t seen, const std::vector<Renames> &renames) {
    Names now(names.begin(), names.end());
    for (const Renames &step : renames) {
        if (step.number <= seen)
            continue;
        for (std::size_t i = 0; i < names.size(); i++) {
            if (contains(step.to, names[i]))
                now[i] = names[i];
            else if (now[i])
                now[i] = follow(*now[i], step);
            // A column renamed to one of `names` no longer represents the name that it had.
            if (now[i] && *now[i] != names[i] && contains(step.to, *now[i]) && contains(names, *now[i]))
                now[i] = std::nullopt;
        }
    }
    return now;
}

/// Assign a candidate name to each unmatched column, if a live column has that name and no other column took it.
void take_names(Names &taken, const Names &candidates, const std::vector<std::string> &live) {
    for (std::size_t i = 0; i < taken.size(); i++)
        if (!taken[i] && candidates[i] && contains(live, *candidates[i]) && !contains(taken, candidates[i]))
            taken[i] = candidates[i];
}

} // namespace

std::vector<std::optional<std::string>> follow_renames(const std::vector<std::string> &names, std::int64_t seen,
                                                       const std::vector<Renames> &renames) {
    Names now(names.begin(), names.end());
    for (const Renames &step : renames)
        for (std::optional<std::string> &name : now)
            if (name && step.number > seen)
                name = follow(*name, step);
    return now;
}

std::vector<ColumnNow> match_columns(const std::vector<std::string> &names, std::int64_t seen,
                                     const std::vector<Renames> &renames, const std::vector<std::string> &live) {
    Names bearers = follow_bearers(names, seen, renames);
    Names former = follow_renames(names, seen, renames);
    Names taken(names.size());
    take_names(taken, Names(names.begin(), names.end()), live);
    take_names(taken, bearers, live);
    take_names(taken, former, live);
    std::vector<ColumnNow> matched(names.size());
    for (std::size_t i = 0; i < names.size(); i++) {
        ColumnNow &column = matched[i];
        column.name = taken[i] || contains(taken, bearers[i]) ? taken[i] : bearers[i];
        column.replaced = taken[i] && former[i] != taken[i];
        if (former[i] != column.name && former[i] && contains(live, *former[i]))
            column.former = former[i];
        column.former_too = column.replaced && column.former && !contains(taken, column.former);
    }
    return matched;
}

} // namespace snapback
