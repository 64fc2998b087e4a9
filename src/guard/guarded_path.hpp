#pragma once
// The path from a written row to its community, cached per relation and session.
#include <memory>
#include <optional>
#include <variant>

#include "guard/community_lock.hpp"
#include "guard/community_name.hpp"
#include "guard/key_form.hpp"
#include "postgres/exec/key_lookup.hpp"
#include "postgres/spi/saved_plan.hpp"

namespace snapback {

/// Follows one foreign key: from its values to the next foreign key's values, or to the value that names the community.
/// Uses the parent's index, or a query if the index does not support it.
using ParentStep = std::variant<KeyLookup, SavedPlan>;

/// Another protected table whose path leads through a relation, and the columns of that relation that it refers to.
struct LedTable {
    std::int32_t table;
    std::vector<StoredColumn> referenced;
    bool compares_bytes; // whether referenced values are equal only if their bytes are
};

struct GuardedPath {
    enum class Kind {
        none,   // the relation is not protected
        column, // a column of the row names the community
        chain,  // a parent row, reached by foreign keys, names the community
        fixed,  // all rows belong to the community of the relation's schema
        unknown // the path is broken: a row may belong to any community
    };
    Kind kind = Kind::none;
    std::vector<StoredColumn> columns;         // one for `column`, the first foreign key's for `chain`
    std::vector<ParentStep> steps;             // for `chain`
    std::optional<CommunityName> name;         // reads the value that the path ends in
    std::optional<WrittenCommunity> community; // for `fixed`
    std::vector<Oid> relations;                // a change of these invalidates the path
    bool lasting = true;                       // false: the path may change without a change of these
    bool current = true;                       // false: the path is outdated and must be rebuilt
    bool overtaken = false;                    // a trigger that fires after the guard can change the row
    std::int32_t table = 0;                    // number of the protected table
    Oid own_table = InvalidOid;                // for `fixed`: the table of the community
    std::optional<KeyForm> key;                // of the rows; nothing if the table has no key
    std::vector<StoredColumn> unique;          // columns that foreign keys may refer to
    std::optional<std::vector<LedTable>> led;  // tables whose paths use the relation; computed on request
};

/// The path of a relation, rebuilt after changes of its relations or the registration.
std::shared_ptr<GuardedPath> guarded_path(Oid relation);

/// Invalidate the paths of every session when this transaction commits.
void forget_guarded_paths();

/// Register the invalidation listener; called once at load.
void watch_guarded_paths();

} // namespace snapback
