#include "postgres/exec/key_lookup.hpp"

#include <algorithm>
#include <array>

#include "core/recent.hpp"
#include "postgres/exec/earlier_snapshot.hpp"

extern "C" {
#include "access/genam.h"
#include "access/heapam.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "common/hashfn.h"
#include "parser/parse_coerce.h"
#include "storage/bufmgr.h"
#include "utils/datum.h"
}

namespace snapback {

namespace {

/// Read an operator's right type; a Postgres call.
Oid right_type(Oid op) {
    Oid left = InvalidOid;
    Oid right = InvalidOid;
    op_input_types(op, &left, &right);
    return right;
}

/// The position of a table column in an index, from 1; 0 if the index lacks it.
int place_in_index(Relation index, AttrNumber column) {
    for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
        if (index->rd_index->indkey.values[i] == column)
            return i + 1;
    return 0;
}

/// Whether an index can be searched for such a key; a Postgres call.
bool can_search(Relation index, std::span<const KeyLookup::Part> key) {
    if (index->rd_rel->relam != BTREE_AM_OID || !index->rd_index->indisvalid ||
        static_cast<std::size_t>(IndexRelationGetNumberOfKeyAttributes(index)) != key.size())
        return false;
    return std::all_of(key.begin(), key.end(), [&](const KeyLookup::Part &part) {
        int place = place_in_index(index, part.column);
        return place > 0 &&
               get_op_opfamily_strategy(part.equals, index->rd_opfamily[place - 1]) == BTEqualStrategyNumber &&
               IsBinaryCoercible(getBaseType(part.type), right_type(part.equals));
    });
}

// A cache of recently found rows: the key hash leads to a tuple and its buffer. Entries may be stale, since rows move
// and buffers are reused; the tuple is checked before use.
struct Trace {
    std::uint32_t hash;
    Buffer buffer;
    ItemPointerData tid;
};
Recent<Trace, 2048> traces;

/// The cached location of a key's row; null if unknown.
Trace *find_trace(std::uint32_t hash) {
    return traces.find(hash, [&](const Trace &trace) { return trace.hash == hash && BufferIsValid(trace.buffer); });
}

void leave_trace(const Trace &trace) {
    Trace *last = find_trace(trace.hash);
    (last ? *last : traces.replace(trace.hash)) = trace;
}

/// Pin a block if the buffer still holds it; a Postgres call.
bool pin_again(Relation relation, const Trace &trace) {
#if PG_VERSION_NUM >= 160000
    return ReadRecentBuffer(relation->rd_locator, MAIN_FORKNUM, ItemPointerGetBlockNumber(&trace.tid), trace.buffer);
#else
    return ReadRecentBuffer(relation->rd_node, MAIN_FORKNUM, ItemPointerGetBlockNumber(&trace.tid), trace.buffer);
#endif
}

/// Begin to scan an index with this many keys; a Postgres call.
IndexScanDesc begin_scan(Relation relation, Relation index, Snapshot snapshot, std::size_t keys) {
#if PG_VERSION_NUM >= 180000
    return index_beginscan(relation, index, snapshot, nullptr, static_cast<int>(keys), 0);
#else
    return index_beginscan(relation, index, snapshot, static_cast<int>(keys), 0);
#endif
}

/// Point at a tuple on a locked page; false if the item is not in use.
bool point_at(HeapTuple tuple, Relation relation, const Trace &trace) {
    Page page = BufferGetPage(trace.buffer);
    OffsetNumber offset = ItemPointerGetOffsetNumber(&trace.tid);
    if (offset > PageGetMaxOffsetNumber(page))
        return false;
    ItemId item = PageGetItemId(page, offset);
    if (!ItemIdIsNormal(item))
        return false;
    tuple->t_data = reinterpret_cast<HeapTupleHeader>(PageGetItem(page, item));
    tuple->t_len = ItemIdGetLength(item);
    tuple->t_self = trace.tid;
    tuple->t_tableOid = RelationGetRelid(relation);
    return true;
}

/// Whether a tuple is the current row and no transaction is changing it; a Postgres call.
bool is_settled(HeapTuple tuple, Buffer buffer) {
    // Usually the hint bits answer this. Row locks, as taken by foreign-key checks, do not matter.
    std::uint16_t known = tuple->t_data->t_infomask;
    if (HeapTupleHeaderXminCommitted(tuple->t_data) && ((known & HEAP_XMAX_INVALID) || HEAP_XMAX_IS_LOCKED_ONLY(known)))
        return true;
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    return HeapTupleSatisfiesVisibility(tuple, &dirty, buffer) && !TransactionIdIsValid(dirty.xmin) &&
           !TransactionIdIsValid(dirty.xmax);
}

} // namespace

/// State of one search.
struct KeyLookup::Search {
    std::span<const Value> key;
    std::vector<Value> &found;
    std::size_t rows = 0;
    Relation relation = nullptr;
    std::uint32_t hash = 0;

    /// Copy the selected columns, which `read` returns by number; a Postgres call.
    template <class Read> void keep(const std::vector<Selected> &selected, const Read &read) {
        for (const Selected &column : selected) {
            Value value{column.type, 0, true};
            value.datum = read(column.column, &value.null);
            if (!value.null)
                value.datum = datumCopy(value.datum, column.by_value, column.length);
            found.push_back(value);
        }
        rows++;
    }
};

bool KeyLookup::serves(Oid relation, Oid index, std::span<const Part> key) {
    return OidIsValid(index) && call([&] {
               if (get_rel_relkind(relation) != RELKIND_RELATION)
                   return false;
               Relation opened = index_open(index, AccessShareLock);
               bool usable = can_search(opened, key);
               index_close(opened, NoLock);
               return usable;
           });
}

KeyLookup::KeyLookup(Oid relation, Oid index, std::span<const Part> key, std::span<const AttrNumber> selected)
    : relation_(relation), index_(index), parts_(key.size()) {
    Relation opened = call([&] { return index_open(index, AccessShareLock); });
    for (std::size_t i = 0; i < key.size(); i++) {
        const Part &part = key[i];
        int place = place_in_index(opened, part.column);
        Oid column_type = call([&] { return getBaseType(get_atttype(relation, part.column)); });
        ScanPart &scanned = parts_[static_cast<std::size_t>(place - 1)];
        scanned.position = i;
        scanned.column = part.column;
        scanned.collation = opened->rd_indcollation[place - 1];
        call([&] {
            get_typlenbyval(column_type, &scanned.length, &scanned.by_value);
            scanned.subtype = right_type(part.equals);
            scanned.function = get_opcode(part.equals);
        });
        traceable_ = traceable_ && scanned.length > 0 && column_type == call([&] { return getBaseType(part.type); });
    }
    call([&] { index_close(opened, NoLock); });
    for (AttrNumber column : selected) {
        Selected chosen{column, call([&] { return get_atttype(relation, column); }), 0, false};
        call([&] { get_typlenbyval(chosen.type, &chosen.length, &chosen.by_value); });
        selected_.push_back(chosen);
    }
}

std::uint32_t KeyLookup::hash(const Search &search) const {
    std::uint32_t hash = murmurhash32(relation_);
    for (const ScanPart &part : parts_)
        hash = hash_combine(hash, datum_image_hash(search.key[part.position].datum, part.by_value, part.length));
    return hash;
}

bool KeyLookup::has_key(const Search &search, HeapTuple tuple) const {
    return std::all_of(parts_.begin(), parts_.end(), [&](const ScanPart &part) {
        bool null = false;
        Datum datum = heap_getattr(tuple, part.column, RelationGetDescr(search.relation), &null);
        return !null && datum_image_eq(datum, search.key[part.position].datum, part.by_value, part.length);
    });
}

/// Check the cached tuple of the key. False if it is not the only current version of the row.
bool KeyLookup::look_where_it_was(Search &search) const {
    search.hash = hash(search);
    const Trace *last = find_trace(search.hash);
    if (!last || !pin_again(search.relation, *last))
        return false;
    const Trace trace = *last;
    LockBuffer(trace.buffer, BUFFER_LOCK_SHARE);
    HeapTupleData tuple;
    bool found =
        point_at(&tuple, search.relation, trace) && has_key(search, &tuple) && is_settled(&tuple, trace.buffer);
    if (found)
        search.keep(selected_, [&](AttrNumber column, bool *null) {
            return heap_getattr(&tuple, column, RelationGetDescr(search.relation), null);
        });
    UnlockReleaseBuffer(trace.buffer);
    return found;
}

/// Scan the index with a snapshot. Copy the rows found and cache their locations.
void KeyLookup::scan_index(Search &search, Relation index, Snapshot snapshot) const {
    std::array<ScanKeyData, INDEX_MAX_KEYS> keys;
    for (std::size_t i = 0; i < parts_.size(); i++)
        ScanKeyEntryInitialize(&keys[i], 0, static_cast<AttrNumber>(i + 1), BTEqualStrategyNumber, parts_[i].subtype,
                               parts_[i].collation, parts_[i].function, search.key[parts_[i].position].datum);
    TupleTableSlot *slot = table_slot_create(search.relation, nullptr);
    IndexScanDesc scan = begin_scan(search.relation, index, snapshot, parts_.size());
    index_rescan(scan, keys.data(), static_cast<int>(parts_.size()), nullptr, 0);
    while (index_getnext_slot(scan, ForwardScanDirection, slot)) {
        search.keep(selected_, [&](AttrNumber column, bool *null) { return slot_getattr(slot, column, null); });
        if (traceable_ && search.hash != 0 && TTS_IS_BUFFERTUPLE(slot))
            leave_trace({search.hash, reinterpret_cast<BufferHeapTupleTableSlot *>(slot)->buffer, slot->tts_tid});
    }
    index_endscan(scan);
    ExecDropSingleTupleTableSlot(slot);
}

/// Search the index with a dirty snapshot, which sees uncommitted rows. A concurrent update can move a row past the
/// scan. If no row is found, scan again with an MVCC snapshot, which misses no committed row.
void KeyLookup::search_index(Search &search) const {
    Relation index = index_open(index_, AccessShareLock);
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    scan_index(search, index, &dirty);
    if (search.rows == 0) {
        Snapshot latest = RegisterSnapshot(GetLatestSnapshot());
        scan_index(search, index, latest);
        UnregisterSnapshot(latest);
    }
    index_close(index, NoLock);
}

/// Search the index for the row as committed now, without what this transaction has written.
void KeyLookup::search_earlier(Search &search) const {
    Relation index = index_open(index_, AccessShareLock);
    Snapshot snapshot = register_earlier_snapshot();
    scan_index(search, index, snapshot);
    UnregisterSnapshot(snapshot);
    index_close(index, NoLock);
}

std::size_t KeyLookup::find(std::span<const Value> key, std::vector<Value> &found, Rows rows) const {
    Search search{key, found};
    call([&] {
        search.relation = table_open(relation_, AccessShareLock);
        if (rows == Rows::earlier)
            search_earlier(search);
        else if (!traceable_ || !look_where_it_was(search))
            search_index(search);
        table_close(search.relation, NoLock);
    });
    return search.rows;
}

} // namespace snapback
