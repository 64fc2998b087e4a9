#pragma once
#include "postgres/boundary.hpp"

namespace snapback {

/// Checks rows against a deferrable unique or exclusion constraint, as the constraint's own trigger would: whoever is
/// about to commit such a value is waited for, which no query can do. A violation has Postgres raise 23505 or 23P01.
/// Check as the table's owner: expressions of the constraint may be his.
class DeferrableCheck {
public:
    /// The table (of a partitioned one, a partition) and the constraint's index on it.
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
