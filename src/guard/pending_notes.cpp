#include "guard/pending_notes.hpp"

#include <algorithm>
#include <unordered_map>

#include "postgres/exec/invalidation.hpp"
#include "postgres/exec/snapshot_scope.hpp"
#include "postgres/exec/table_scan.hpp"

extern "C" {
#include "access/transam.h"
#include "catalog/indexing.h"
}

namespace snapback {

namespace {

// Limits of one transaction. Where they are exceeded, notes become less exact, and captures read more.
constexpr std::size_t most_keys = 10000;      // of one table and community
constexpr std::size_t most_bytes = 512 << 10; // of one table and community
constexpr std::size_t most_bytes_in_all = 16 << 20;
constexpr std::size_t most_notes = 20000;
constexpr std::size_t most_bytes_inline = 1000; // of all keys: none is stored out of line

/// A key, by where its bytes end, and the subtransaction that noted it.
struct PendingKey {
    std::size_t end;
    SubTransactionId in;
};

/// What is noted of one table and community.
struct PendingNote {
    std::string form;
    std::string bytes;
    std::vector<PendingKey> keys;
    SubTransactionId full_in = InvalidSubTransactionId; // if valid, the table must be read in full

    bool is_full() const { return full_in != InvalidSubTransactionId; }
    /// Read the table in full, as if the subtransaction that noted the first key had noted that.
    void forget_keys() {
        for (const PendingKey &key : keys)
            full_in = is_full() ? std::min(full_in, key.in) : key.in;
        bytes = {};
        keys = {};
    }
    /// Remove what a subtransaction and later ones have noted.
    void roll_back(SubTransactionId to) noexcept {
        if (full_in >= to)
            full_in = InvalidSubTransactionId;
        std::size_t kept = 0;
        std::size_t from = 0;
        std::size_t to_byte = 0;
        for (const PendingKey &key : keys) {
            std::size_t size = key.end - from;
            if (key.in < to) {
                std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(from), size,
                            bytes.begin() + static_cast<std::ptrdiff_t>(to_byte));
                to_byte += size;
                keys[kept++] = {to_byte, key.in};
            }
            from = key.end;
        }
        keys.resize(kept);
        bytes.resize(to_byte);
    }
};

struct TablePlace {
    std::int32_t table;
    NotePlace place;
    bool operator==(const TablePlace &) const = default;
};
struct TablePlaceHash {
    std::size_t operator()(const TablePlace &of) const { return of.place + static_cast<std::uint32_t>(of.table); }
};
using PendingNotes = std::unordered_map<TablePlace, PendingNote, TablePlaceHash>;

struct {
    PendingNotes notes;
    std::size_t bytes = 0;                           // of all keys; too high after a rollback
    SubTransactionId last = InvalidSubTransactionId; // the highest that has noted something
    bool has_full_tables = false;                    // some table is to be read in full for all communities
    std::int32_t written = 0;                        // how often notes were written by this transaction
    bool committing = false;                         // from now on, notes are written at once
} pending;

void forget_all() noexcept {
    pending.notes.clear();
    pending.bytes = 0;
    pending.last = InvalidSubTransactionId;
    pending.has_full_tables = false;
    pending.written = 0;
    pending.committing = false;
}

void roll_back(SubTransactionId to) noexcept {
    if (pending.last < to)
        return;
    pending.last = to;
    for (auto at = pending.notes.begin(); at != pending.notes.end();) {
        at->second.roll_back(to);
        bool empty = at->second.keys.empty() && !at->second.is_full();
        at = empty ? pending.notes.erase(at) : std::next(at);
    }
}

/// An open table and the indexes that an insertion maintains.
struct OpenTable {
    Relation relation;
    CatalogIndexState indexes;
};

void insert_note(const OpenTable &table, std::uint64_t transaction, std::int32_t part, const Note &note) {
    call([&] {
        Datum keys =
            note.keys
                ? PointerGetDatum(cstring_to_text_with_len(note.keys->data(), static_cast<int>(note.keys->size())))
                : Datum{0};
        Datum values[] = {
            Int64GetDatum(static_cast<std::int64_t>(note.place)),
            UInt64GetDatum(transaction),
            Int32GetDatum(note.table),
            Int32GetDatum(part),
            PointerGetDatum(cstring_to_text_with_len(note.form.data(), static_cast<int>(note.form.size()))),
            keys};
        bool nulls[] = {false, false, false, false, false, !note.keys};
        HeapTuple tuple = heap_form_tuple(RelationGetDescr(table.relation), values, nulls);
        CatalogTupleInsertWithInfo(table.relation, tuple, table.indexes);
        heap_freetuple(tuple);
        if (note.keys)
            pfree(DatumGetPointer(keys));
    });
}

/// Write the notes of this transaction.
void write_notes() {
    if (pending.notes.empty())
        return;
    Oid oid = own_table("removed_key");
    OpenTable table = call([&] {
        Relation relation = OidIsValid(oid) ? try_relation_open(oid, RowExclusiveLock) : nullptr;
        return OpenTable{relation, relation ? CatalogOpenIndexes(relation) : nullptr};
    });
    if (!table.relation)
        return; // this transaction drops the extension
    std::uint64_t writer = call([] { return U64FromFullTransactionId(GetTopFullTransactionId()); });
    // A running transaction may have removed a row before its parent moved, so that it notes another community. While
    // it runs, the table must be read in full again: no transaction that has written yet is later than the note.
    std::uint64_t last = call([] { return U64FromFullTransactionId(ReadNextFullTransactionId()); }) - 1 +
                         static_cast<std::uint64_t>(pending.written);
    auto part_of_writer = -1 - static_cast<std::int32_t>(writer & INT32_MAX); // key notes have parts from 0 on
    visit_pending_notes([&](const Note &note) {
        if (note.keys)
            insert_note(table, writer, pending.written, note);
        else
            insert_note(table, last, part_of_writer, note);
    });
    call([&] {
        CatalogCloseIndexes(table.indexes);
        table_close(table.relation, NoLock);
    });
    pending.notes.clear();
    pending.bytes = 0;
    pending.written++;
}

/// Write what was collected. What is noted later, by triggers that other commit listeners fire, is written at once.
void write_before_commit() {
    pending.committing = true;
    if (pending.notes.empty())
        return;
    std::optional<SnapshotScope> snapshot;
    if (pending.bytes > most_bytes_inline)
        snapshot.emplace(); // some values may be stored out of line
    write_notes();
}

/// Merge the notes of a table into one for all communities.
void merge_notes(std::int32_t table) {
    SubTransactionId first = GetCurrentSubTransactionId();
    for (auto at = pending.notes.begin(); at != pending.notes.end();) {
        if (at->first.table != table) {
            ++at;
            continue;
        }
        at->second.forget_keys();
        first = std::min(first, at->second.full_in);
        at = pending.notes.erase(at);
    }
    pending.notes[{table, all_communities}].full_in = first;
    pending.has_full_tables = true;
}

void limit_memory() {
    if (pending.bytes <= most_bytes_in_all)
        return;
    for (auto &[of, note] : pending.notes)
        note.forget_keys();
    pending.bytes = 0;
}

/// The note of a table and community; null if the table will be read in full anyway.
PendingNote *open_note(NotePlace place, std::int32_t table) {
    if (pending.has_full_tables && pending.notes.contains({table, all_communities}))
        return nullptr;
    auto found = pending.notes.find({table, place});
    if (found == pending.notes.end()) {
        if (pending.notes.size() >= most_notes) {
            merge_notes(table);
            return nullptr;
        }
        found = pending.notes.try_emplace({table, place}).first;
    }
    return found->second.is_full() ? nullptr : &found->second;
}

/// Finish a change of the notes by the current subtransaction.
void note_change() {
    pending.last = std::max(pending.last, GetCurrentSubTransactionId());
    limit_memory();
    if (pending.committing)
        write_notes();
}

} // namespace

void note_removed_key(NotePlace place, std::int32_t table, const std::optional<KeyForm> &form, TupleTableSlot *row) {
    PendingNote *note = open_note(place, table);
    if (!note)
        return;
    std::size_t begin = note->keys.empty() ? 0 : note->keys.back().end;
    note->bytes.resize(begin);
    if (note->keys.empty() && form)
        note->form = form->id;
    bool usable = form && note->form == form->id && note->keys.size() < most_keys && begin < most_bytes &&
                  append_image(note->bytes, form->columns, row);
    if (usable) {
        note->keys.push_back({note->bytes.size(), GetCurrentSubTransactionId()});
        pending.bytes += note->bytes.size() - begin;
    } else {
        note->bytes.resize(begin);
        note->full_in = GetCurrentSubTransactionId();
    }
    note_change();
}

void note_full_read(NotePlace place, std::int32_t table) {
    PendingNote *note = open_note(place, table);
    if (!note)
        return;
    note->full_in = GetCurrentSubTransactionId();
    pending.has_full_tables = pending.has_full_tables || place == all_communities;
    note_change();
}

void visit_pending_notes(const std::function<void(const Note &)> &visit) {
    for (const auto &[of, note] : pending.notes)
        visit({of.place, of.table, note.form,
               note.is_full() ? std::nullopt : std::optional<std::string_view>(note.bytes)});
}

void watch_pending_notes() {
    hear_of_commits(write_before_commit);
    hear_of_transaction_ends(forget_all);
    hear_of_rollbacks(roll_back);
}

} // namespace snapback
