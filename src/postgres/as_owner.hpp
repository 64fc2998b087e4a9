#pragma once
// Touch a user's object with no more than its owner's rights.
#include "postgres/boundary.hpp"

namespace snapback {

/// While in scope, this session is the given owner, in a security-restricted operation. Views, triggers, defaults,
/// checks, policies, types and functions are code of whoever owns them; run within this scope that code can neither
/// take up the extension's rights nor return to them (SET ROLE and RESET ROLE are refused, as are temporary tables and
/// deferred triggers). The settings on which the meaning of SQL and of values' text hangs are the same for every
/// session, and row security raises an error rather than leave rows out. All of it ends with the scope.
///
/// Open and lock the object first and ask for its owner afterwards: a name, or an unlocked relation, may change hands.
class AsOwner {
public:
    explicit AsOwner(Oid owner);
    ~AsOwner();
    AsOwner(const AsOwner &) = delete;
    AsOwner &operator=(const AsOwner &) = delete;

private:
    AsOwner(); // notes what the destructor restores

    Oid user_before_;
    int context_before_;
    int guc_level_;
};

/// Lock a relation against changes of its definition until the transaction ends, and return its owner as it is then.
/// A relation that is gone raises 42704.
Oid lock_and_get_owner(Oid relation);

} // namespace snapback
