#pragma once
// The transactions that were running when a restore committed. The answer is exact, uses no clock, and needs no code in
// the sessions that run them. The list is in shared memory and ends with the server.
#include <cstdint>

#include "postgres/error/boundary.hpp"

namespace snapback {

/// Make the current transaction list the running transactions of this database at its commit, after its changes become
/// visible and before it releases its locks. The current transaction can then not be prepared.
void list_running_at_commit();

/// The committed transactions that listed the current one while it was running; none if first > last.
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

/// Reserve shared memory if the server preloads the library; called at load.
void reserve_list_of_running();

} // namespace snapback
