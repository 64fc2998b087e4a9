#pragma once
#include "postgres/error/boundary.hpp"

namespace snapback {

/// One MVCC snapshot for all that is read while it is in scope: taken now, or in a REPEATABLE READ transaction its own
/// unless `latest`.
class SnapshotScope {
public:
    enum class Of { transaction, latest };

    explicit SnapshotScope(Of of = Of::transaction) : exceptions_(std::uncaught_exceptions()) {
        call([of] {
            CommandCounterIncrement();
            PushActiveSnapshot(of == Of::latest ? GetLatestSnapshot() : GetTransactionSnapshot());
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
