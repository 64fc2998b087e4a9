#pragma once
#include "postgres/postgres.hpp"

namespace snapback {

/// Register a snapshot of what is committed now, as if this transaction had written nothing; a Postgres call.
inline Snapshot register_earlier_snapshot() {
    Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot()); // a copy, because the latest one is static
    snapshot->curcid = FirstCommandId;
    return snapshot;
}

} // namespace snapback
