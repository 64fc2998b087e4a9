#pragma once
// The way from a row that is being written to its community, worked out once per relation and session.
#include <memory>
#include <optional>
#include <variant>

#include "guard/community_lock.hpp"
#include "guard/community_name.hpp"
#include "postgres/key_lookup.hpp"
#include "postgres/saved_plan.hpp"

namespace snapback {

/// A column of the written relation that the path starts from.
struct PathColumn {
    AttrNumber number;
    Oid type;
    std::int16_t length;
    bool by_value;
};

/// Leads from a foreign key's values to the next foreign key's, or to the value that names the community: by the
/// parent's index, or by a query where that cannot be.
using ParentStep = std::variant<KeyLookup, SavedPlan>;

struct GuardedPath {
    enum class Kind {
        none,   // the relation is not protected: nothing to guard
        column, // the row's own column names the community
        chain,  // a parent's row does, reached through one or more foreign keys
        fixed,  // every row is of the same community, whose schema this is
        unknown // protected, but its path cannot be followed: any row may be of any community
    };
    Kind kind = Kind::none;
    std::vector<PathColumn> columns;           // one for `column`, the first foreign key's for `chain`
    std::vector<ParentStep> steps;             // for `chain`
    std::optional<CommunityName> name;         // reads the value that the path ends in
    std::optional<WrittenCommunity> community; // for `fixed`
    std::vector<Oid> relations;                // whose change makes the path void
    bool lasting = true;                       // false: it may change without any of these changing
    bool current = true;                       // false: something has changed since, so it is to be followed anew
    std::optional<bool> leads_children; // whether other tables' paths lead through the relation; found out when asked
};

/// The relation's path; rebuilt after any change of the relations on it or of the registration.
std::shared_ptr<GuardedPath> guarded_path(Oid relation);

/// Have every session work out its paths anew once this transaction commits.
void forget_guarded_paths();

/// Begin to hear of changes; called once, at load.
void watch_guarded_paths();

} // namespace snapback
