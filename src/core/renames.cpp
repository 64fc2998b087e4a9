#include "core/renames.hpp"

#include <algorithm>

namespace snapback {

namespace {

/// What these renames make of one name.
std::optional<std::string> follow(const std::string &name, const Renames &renames) {
    auto renamed = std::find(renames.from.begin(), renames.from.end(), name);
    if (renamed != renames.from.end())
        return renames.to[static_cast<std::size_t>(renamed - renames.from.begin())];
    if (std::find(renames.to.begin(), renames.to.end(), name) != renames.to.end())
        return std::nullopt;
    return name;
}

} // namespace

std::vector<std::optional<std::string>> follow_renames(const std::vector<std::string> &names, std::int64_t seen,
                                                       const std::vector<Renames> &renames) {
    std::vector<std::optional<std::string>> now(names.begin(), names.end());
    for (const Renames &step : renames)
        for (std::optional<std::string> &name : now)
            if (name && step.number > seen)
                name = follow(*name, step);
    return now;
}

} // namespace snapback
