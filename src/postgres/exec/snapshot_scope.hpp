#pragma once
#include "postgres/error/boundary.hpp"

namespace snapback {

/// One MVCC snapshot for all reads while it is in scope: a new one, or the one of a REPEATABLE READ transaction unless
/// `latest`.
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
