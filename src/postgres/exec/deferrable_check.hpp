#pragma once
#include "postgres/error/boundary.hpp"

namespace snapback {

/// Checks rows against a deferrable unique or exclusion constraint, like the constraint's own trigger. The check waits
/// for concurrent transactions that insert the same value, which a query cannot do. A violation raises 23505 or 23P01.
/// Run the check as the table's owner, because the constraint may contain the owner's expressions.
class DeferrableCheck {
public:
    /// The table (or a partition of it) and the constraint's index on it.
    DeferrableCheck(Oid table, Oid index);
    ~DeferrableCheck();
    DeferrableCheck(const DeferrableCheck &) = delete;
    DeferrableCheck &operator=(const DeferrableCheck &) = delete;

    /// Check the row at this ctid.
    void operator()(Datum ctid);

private:
    Oid index_;
    Relation table_;
    TupleTableSlot *slot_;
    MemoryContext memory_;
    int exceptions_;
};

} // namespace snapback
