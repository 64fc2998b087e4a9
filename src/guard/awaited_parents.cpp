#include "guard/awaited_parents.hpp"

#include <set>

#include "guard/admit_writer.hpp"
#include "guard/path_builder.hpp"
#include "guard/pending_notes.hpp"
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
    bool moved;
};
std::vector<Awaiting> awaiting;
std::set<Oid> relations_moved;             // relations with moved rows, listed or not
constexpr std::size_t most_awaiting = 256; // beyond this, take the lock on all communities

bool same_key(std::span<const Value> one, std::span<const Value> other, const GuardedPath &path) {
    for (std::size_t i = 0; i < path.columns.size(); i++)
        if (!call([&] {
                return datum_image_eq(one[i].datum, other[i].datum, path.columns[i].by_value, path.columns[i].length);
            }))
            return false;
    return true;
}

void note_led_tables(Oid relation, GuardedPath &path, NotePlace place) {
    for (const LedTable &led : led_tables(relation, path))
        note_full_read(place, led.table);
}

/// Guard a row whose parent exists now. If the row was moved, note that rows of other tables have moved with it.
void guard_awaiting(const Awaiting &row) {
    std::shared_ptr<GuardedPath> path = guarded_path(row.relation);
    if (path->kind == GuardedPath::Kind::chain && path->columns.size() == row.key.size())
        visit_communities_of_key(*path, row.key, [&](const WrittenCommunity &community) {
            admit_writer(community);
            if (row.moved)
                note_led_tables(row.relation, *path, community.key());
        });
    else
        admit_writer_to_all(); // the table was altered in the meantime
}

/// Guard the rows whose parents exist now. A row without a parent has no community.
void guard_awaiting() {
    if (awaiting.empty())
        return;
    SnapshotScope snapshot;
    if (awaiting.size() > most_awaiting) {
        for (Oid relation : relations_moved)
            note_led_tables(relation, *guarded_path(relation), all_communities);
        return admit_writer_to_all();
    }
    for (const Awaiting &row : awaiting)
        guard_awaiting(row);
}

void forget_awaiting() noexcept {
    awaiting.clear();
    relations_moved.clear();
}

} // namespace

void await_parent(Oid relation, const GuardedPath &path, std::span<const Value> key, bool moved) {
    if (moved)
        relations_moved.insert(relation);
    if (awaiting.size() > most_awaiting)
        return;
    if (!awaiting.empty() && awaiting.back().relation == relation && awaiting.back().moved == moved &&
        same_key(awaiting.back().key, key, path))
        return;
    Awaiting row{relation, {key.begin(), key.end()}, moved};
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
