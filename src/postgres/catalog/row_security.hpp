#pragma once
// Checks for row security and missing privileges before rows are read. With row_security = off the server raises an
// error too, but without a hint.
#include "postgres/error/boundary.hpp"

namespace snapback {

/// Throw Error (42501) if row security applies to the owner of a relation that is read as its owner.
void refuse_binding_owner(Oid relation, Oid owner);

/// Throw Error (42501) if the owner of a relation cannot read a parent, or if the parent's row security applies to that
/// role.
void refuse_hidden_parent(Oid parent, Oid relation, Oid owner);

} // namespace snapback
