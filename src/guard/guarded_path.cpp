#include "guard/guarded_path.hpp"

#include <algorithm>
#include <unordered_map>

#include "guard/path_builder.hpp"
#include "postgres/exec/invalidation.hpp"
#include "postgres/exec/table_scan.hpp"
#include "postgres/lock/heavy_lock.hpp"

extern "C" {
#include "commands/trigger.h"
}

namespace snapback {

namespace {

std::unordered_map<Oid, std::shared_ptr<GuardedPath>> cache;
std::uint64_t changes = 0; // number of changes received

/// Mark the paths that depend on the changed relation. They are freed later, because they may be in use.
void note_change(Oid relation) noexcept {
    changes++;
    for (auto &[guarded, path] : cache) {
        const std::vector<Oid> &relations = path->relations;
        if (!OidIsValid(relation) || std::find(relations.begin(), relations.end(), relation) != relations.end())
            path->current = false;
    }
}

} // namespace

void watch_guarded_paths() {
    hear_of_relations(note_change);
}

void forget_guarded_paths() {
    if (Oid table = own_table("protected_table"); OidIsValid(table))
        invalidate_relation(table);
}

std::shared_ptr<GuardedPath> guarded_path(Oid relation) {
    if (auto found = cache.find(relation); found != cache.end() && found->second->current && found->second->lasting)
        return found->second;
    std::uint64_t changes_before = changes;
    auto path = std::make_shared<GuardedPath>(build_path(relation));
    path->current = changes == changes_before;
    cache.insert_or_assign(relation, path);
    return path;
}

} // namespace snapback

// The trigger on registration tables: a change invalidates the paths of every session.
SNAPBACK_FUNCTION(snapback_forget_guarded_paths) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        throw snapback::Error(snapback::sqlstate::trigger_protocol_violated,
                              "forget_guarded_paths() is a trigger function");
    snapback::forget_guarded_paths();
    return PointerGetDatum(nullptr);
}
