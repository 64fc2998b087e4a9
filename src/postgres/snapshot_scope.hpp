#pragma once
#include "postgres/boundary.hpp"

namespace snapback {

/// An active MVCC snapshot while in scope: a new one, or the transaction snapshot in REPEATABLE READ.
class SnapshotScope {
public:
    SnapshotScope() : exceptions_(std::uncaught_exceptions()) {
        call([] {
            CommandCounterIncrement();
            PushActiveSnapshot(GetTransactionSnapshot());
        });
    }
    ~SnapshotScope() {
        // After an error, the (sub)transaction abort pops it.
        if (std::uncaught_exceptions() == exceptions_)
            PopActiveSnapshot();
    }
    SnapshotScope(const SnapshotScope &) = delete;
    SnapshotScope &operator=(const SnapshotScope &) = delete;

private:
    int exceptions_;
};

} // namespace snapback
