#pragma once
// What keeps a table's rows from the role as which they are read. The server would say so too, as row_security is off
// then, but not what to do.
#include "postgres/boundary.hpp"

namespace snapback {

/// Throw Error (42501) where row security binds the owner of a relation, whose rows are to be read as that owner.
void refuse_binding_owner(Oid relation, Oid owner);

/// Throw Error (42501) where the owner of a relation may not read a parent, or row security of the parent binds them.
void refuse_hidden_parent(Oid parent, Oid relation, Oid owner);

} // namespace snapback
