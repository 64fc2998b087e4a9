#pragma once
// Access a user's object with the rights of its owner.
#include "postgres/error/boundary.hpp"

namespace snapback {

/// While in scope, the session runs as the given owner in a security-restricted operation. User code (views, triggers,
/// defaults, checks, policies, types, functions) thus never runs with the rights of the extension. It cannot change the
/// role, create temporary tables, or queue deferred triggers. Settings that affect the meaning of statements and values
/// are fixed; row_security = off raises an error instead of hiding rows. The scope's end restores everything.
///
/// Lock the object before reading its owner, because the owner of an unlocked object can change.
class AsOwner {
public:
    explicit AsOwner(Oid owner);
    ~AsOwner();
    AsOwner(const AsOwner &) = delete;
    AsOwner &operator=(const AsOwner &) = delete;

private:
    AsOwner(); // saves the state that the destructor restores

    Oid user_before_;
    int context_before_;
    int guc_level_;
};

/// Lock a relation against DDL until the transaction ends, and return its owner. Throws Error (42704) if it does not
/// exist.
Oid lock_and_get_owner(Oid relation);

} // namespace snapback
