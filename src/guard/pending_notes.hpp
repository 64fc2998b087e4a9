#pragma once
// What this transaction will note in snapback.removed_key. It is collected in memory and written just before the commit
// or PREPARE TRANSACTION. A rollback to a savepoint removes what was collected after the savepoint.
#include <cstdint>
#include <functional>
#include <string_view>

#include "guard/key_form.hpp"

namespace snapback {

/// Whose rows a note is about: the lock number of a community, the OID of a community's own table, or all communities.
using NotePlace = std::uint64_t;
constexpr NotePlace all_communities = 0;

/// Note that the row of a key leaves a community. Beyond some hundreds of keys of a table and community, the table is
/// to be read in full.
void note_removed_key(NotePlace place, std::int32_t table, const std::optional<KeyForm> &form, TupleTableSlot *row);

/// Note that rows of a table may have left or joined a community without a write of their own.
void note_full_read(NotePlace place, std::int32_t table);

/// A note: keys, or nothing if the table must be read in full.
struct Note {
    NotePlace place;
    std::int32_t table;
    std::string_view form;
    std::optional<std::string_view> keys;
};
/// Visit the notes of this transaction that are not written yet.
void visit_pending_notes(const std::function<void(const Note &)> &visit);

/// Register the listeners for commits and rollbacks; called once at load.
void watch_pending_notes();

} // namespace snapback
