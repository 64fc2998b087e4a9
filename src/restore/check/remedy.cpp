// Finds what would remove an obstacle: further options, or the same options without switches. Each remedy is planned
// like a restore before a hint suggests it.
#include "restore/check/remedy.hpp"

#include <algorithm>

#include "restore/check/conflicts.hpp"

namespace snapback {

namespace {

using Names = std::vector<std::string>;

/// An obstacle with its plan and table.
struct Found {
    const Plan &plan;
    const TablePlan &table;
    const Obstacle &obstacle;

    bool is_conflict() const {
        return obstacle.error.sqlstate == sqlstate::unique_violation ||
               obstacle.error.sqlstate == sqlstate::exclusion_violation;
    }
};

/// Whether a plan has the same obstacle.
bool has(const Plan &plan, Oid relation, const Obstacle &obstacle) {
    const TablePlan *table = plan.table(relation);
    return table && std::ranges::any_of(table->obstacles, [&](const auto &other) { return other.is(obstacle); });
}

/// Whether all obstacles of a plan are in the other one too.
bool has_none_beside(const Plan &plan, const Plan &other) {
    return plan.unusable().size() <= other.unusable().size() &&
           std::ranges::all_of(plan.tables(), [&](const auto &table) {
               return std::ranges::all_of(table->obstacles, [&](const Obstacle &obstacle) {
                   return has(other, table->live.relation, obstacle);
               });
           });
}

/// The further options that cover blocking rows: those of the table, and of tables whose rows refer to it.
Names options_in_reach(const Plan &plan, Oid relation) {
    Names options;
    std::vector<Oid> reached{relation};
    for (std::size_t i = 0; i < reached.size(); i++) {
        for (std::string &option : further_options(plan, reached[i]))
            if (std::ranges::find(options, option) == options.end())
                options.push_back(std::move(option));
        if (const TablePlan *table = plan.table(reached[i]))
            for (Oid keeper : table->kept_by)
                if (std::ranges::find(reached, keeper) == reached.end())
                    reached.push_back(keeper);
    }
    return options;
}

struct Outcome {
    bool helps = false;
    Names in_reach; // further options that may help
};

/// Plan with this spec and look for the obstacle.
Outcome plan_by(const RestoreSpec &spec, const Found &found) {
    LiveRows current(found.plan.community());
    Query query;
    Plan plan(query, spec, current);
    if (found.is_conflict())
        for (const auto &table : plan.tables())
            find_conflicts(query, *table);
    return {!has(plan, found.table.live.relation, found.obstacle) && has_none_beside(plan, found.plan),
            options_in_reach(plan, found.obstacle.in_the_way)};
}

/// The same; a spec that cannot be planned does not help.
Outcome outcome_of(const RestoreSpec &spec, const Found &found) {
    Outcome outcome;
    std::optional<UndoneError> error = try_out([&] { outcome = plan_by(spec, found); });
    if (error && error->raised_by_postgres && !error->is_refusal())
        error->raise();
    return error ? Outcome{} : outcome;
}

/// The spec of the plan with more options.
RestoreSpec with(const Plan &plan, const Names &more) {
    RestoreSpec spec = plan.spec();
    spec.progress = nullptr;
    spec.options.insert(spec.options.end(), more.begin(), more.end());
    return spec;
}

/// Reduce options that help together to those that are needed.
Names fewest(const Found &found, const Names &options) {
    auto help = [&](const Names &some) { return outcome_of(with(found.plan, some), found).helps; };
    if (options.size() < 2)
        return options;
    auto middle = options.begin() + static_cast<std::ptrdiff_t>(options.size() / 2);
    for (const Names &half : {Names(options.begin(), middle), Names(middle, options.end())})
        if (help(half))
            return fewest(found, half);
    Names needed = options;
    for (const std::string &option : options) {
        Names rest = needed;
        std::erase(rest, option);
        if (!rest.empty() && help(rest))
            needed = rest;
    }
    return needed;
}

/// The options that remove the obstacle if they are restored as well; empty if there are none. Their tables may require
/// further options.
Names helping_options(const Found &found) {
    Names options = options_in_reach(found.plan, found.obstacle.in_the_way);
    while (!options.empty()) {
        Outcome outcome = outcome_of(with(found.plan, options), found);
        if (outcome.helps)
            return fewest(found, options);
        if (outcome.in_reach.empty())
            break;
        options.insert(options.end(), outcome.in_reach.begin(), outcome.in_reach.end());
    }
    return {};
}

/// The switches that limit what is restored.
Names limiting_switches(const RestoreOptions &options) {
    Names switches;
    if (!options.rows.empty())
        switches.push_back("\"rows\"");
    if (!options.inserts || !options.updates || !options.deletes)
        switches.push_back("\"actions\"");
    return switches;
}

/// The hint that removes the obstacle; empty if nothing does.
std::string remedy(const Found &found) {
    if (Names options = helping_options(found); !options.empty())
        return "restore " + in_words(options) + " as well";
    Names limiting = limiting_switches(found.plan.spec().switches);
    RestoreSpec whole = with(found.plan, {});
    whole.switches.rows.clear();
    whole.switches.children = false;
    whole.switches.inserts = whole.switches.updates = whole.switches.deletes = true;
    if (limiting.empty() || !outcome_of(whole, found).helps)
        return "";
    return "restore without the " + std::string(limiting.size() == 1 ? "switch " : "switches ") + in_words(limiting);
}

} // namespace

Names further_options(const Plan &plan, Oid relation) {
    Names options;
    const ProtectedTable *table = plan.protected_table(relation);
    if (!table)
        return options;
    Query query;
    for (Row row : query.run(
             "SELECT o.option FROM pg_catalog.unnest(snapback_internal.snapshot_options($1))"
             " WITH ORDINALITY AS o (option, place)"
             " WHERE o.option <> ALL ($2) AND EXISTS (SELECT FROM snapback.coverage v"
             "   WHERE v.table_id = $3 AND v.option = o.option) ORDER BY o.place",
             {Value::uuid(plan.spec().manifest.id), Value::text_array(plan.spec().options), Value::integer(table->id)}))
        options.push_back(row.text(1));
    return options;
}

std::string in_words(const Names &names, const std::string &last) {
    std::string list;
    for (std::size_t i = 0; i < names.size(); i++)
        list += (i == 0 ? "" : i + 1 == names.size() ? " " + last + " " : ", ") + names[i];
    return list;
}

void require_no_obstacle(const Plan &plan) {
    for (const auto &table : plan.tables()) {
        if (table->obstacles.empty() || !plan.unusable().empty())
            continue;
        const Obstacle &first = table->obstacles.front();
        Error error = first.error;
        if (first.hint)
            if (std::string help = remedy({plan, *table, first}); !help.empty())
                error.hint = first.hint(help);
        throw Error(error);
    }
    plan.require_no_obstacle();
}

} // namespace snapback
