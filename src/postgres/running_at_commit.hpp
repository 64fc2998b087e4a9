#pragma once
// Which transactions were running when certain others committed: an exact answer that needs no clock, and none of our
// code in the sessions that run them. It is kept in shared memory, and ends with the server.
#include <cstdint>

#include "postgres/boundary.hpp"

namespace snapback {

/// List the transactions of this database that run when the current one commits, after its changes have become visible
/// and before it releases its locks. The current transaction can no longer be prepared.
void list_running_at_commit();

/// The transactions that committed, and listed this one, while it was running; empty: first > last.
struct ListedBy {
    std::uint64_t first = 1;
    std::uint64_t last = 0;
    bool empty() const { return first > last; }
    bool includes(FullTransactionId transaction) const {
        std::uint64_t id = U64FromFullTransactionId(transaction);
        return first <= id && id <= last;
    }
};
ListedBy current_transaction_listed_by();

/// Reserve the shared memory, where the server preloads the library; called at load.
void reserve_list_of_running();

} // namespace snapback
