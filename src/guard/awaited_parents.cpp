#include "guard/awaited_parents.hpp"

#include "guard/admit_writer.hpp"
#include "guard/row_community.hpp"
#include "postgres/exec/invalidation.hpp"
#include "postgres/exec/snapshot_scope.hpp"

extern "C" {
#include "utils/datum.h"
}

namespace snapback {

namespace {

/// A row whose parent is missing: the foreign key at the start of its path. The values live as long as the transaction.
struct Awaiting {
    Oid relation;
    std::vector<Value> key;
};
std::vector<Awaiting> awaiting;
constexpr std::size_t most_awaiting = 256; // beyond this, take the lock on all communities

bool same_key(std::span<const Value> one, std::span<const Value> other, const GuardedPath &path) {
    for (std::size_t i = 0; i < path.columns.size(); i++)
        if (!call([&] {
                return datum_image_eq(one[i].datum, other[i].datum, path.columns[i].by_value, path.columns[i].length);
            }))
            return false;
    return true;
}

/// Guard the rows whose parents exist now. A row without a parent has no community.
void guard_awaiting() {
    if (awaiting.empty())
        return;
    SnapshotScope snapshot;
    if (awaiting.size() > most_awaiting)
        return admit_writer_to_all();
    for (const Awaiting &row : awaiting) {
        std::shared_ptr<GuardedPath> path = guarded_path(row.relation);
        if (path->kind == GuardedPath::Kind::chain && path->columns.size() == row.key.size())
            visit_communities_of_key(*path, row.key, admit_writer);
        else
            admit_writer_to_all(); // the table was altered in the meantime
    }
}

void forget_awaiting() noexcept {
    awaiting.clear();
}

} // namespace

void await_parent(Oid relation, const GuardedPath &path, std::span<const Value> key) {
    if (awaiting.size() > most_awaiting)
        return;
    if (!awaiting.empty() && awaiting.back().relation == relation && same_key(awaiting.back().key, key, path))
        return;
    Awaiting row{relation, {key.begin(), key.end()}};
    call([&] {
        MemoryContext before = MemoryContextSwitchTo(TopTransactionContext);
        for (std::size_t i = 0; i < row.key.size(); i++)
            row.key[i].datum = datumCopy(row.key[i].datum, path.columns[i].by_value, path.columns[i].length);
        MemoryContextSwitchTo(before);
    });
    awaiting.push_back(std::move(row));
}

void watch_awaited_parents() {
    hear_of_commits(guard_awaiting);
    hear_of_transaction_ends(forget_awaiting);
}

} // namespace snapback
