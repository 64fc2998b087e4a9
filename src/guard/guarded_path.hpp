#pragma once
// The path from a written row to its community, cached per relation and session.
#include <memory>
#include <optional>
#include <variant>

#include "guard/community_lock.hpp"
#include "guard/community_name.hpp"
#include "postgres/exec/key_lookup.hpp"
#include "postgres/spi/saved_plan.hpp"

namespace snapback {

/// A column of the written relation at the start of the path.
struct PathColumn {
    AttrNumber number;
    Oid type;
    std::int16_t length;
    bool by_value;
};

/// Follows one foreign key: from its values to the next foreign key's values, or to the value that names the community.
/// Uses the parent's index, or a query if the index does not support it.
using ParentStep = std::variant<KeyLookup, SavedPlan>;

struct GuardedPath {
    enum class Kind {
        none,   // the relation is not protected
        column, // a column of the row names the community
        chain,  // a parent row, reached by foreign keys, names the community
        fixed,  // all rows belong to the community of the relation's schema
        unknown // the path is broken: a row may belong to any community
    };
    Kind kind = Kind::none;
    std::vector<PathColumn> columns;           // one for `column`, the first foreign key's for `chain`
    std::vector<ParentStep> steps;             // for `chain`
    std::optional<CommunityName> name;         // reads the value that the path ends in
    std::optional<WrittenCommunity> community; // for `fixed`
    std::vector<Oid> relations;                // a change of these invalidates the path
    bool lasting = true;                       // false: the path may change without a change of these
    bool current = true;                       // false: the path is outdated and must be rebuilt
    std::optional<bool> leads_children;        // whether paths of other tables use the relation; computed on request
};

/// The path of a relation, rebuilt after changes of its relations or the registration.
std::shared_ptr<GuardedPath> guarded_path(Oid relation);

/// Invalidate the paths of every session when this transaction commits.
void forget_guarded_paths();

/// Register the invalidation listener; called once at load.
void watch_guarded_paths();

} // namespace snapback
