#include "postgres/exec/table_scan.hpp"

extern "C" {
#include "access/tableam.h"
#include "catalog/namespace.h"
}

namespace snapback {

Oid own_table(const char *name) {
    return call([&] {
        Oid schema = get_namespace_oid("snapback", true);
        return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
    });
}

Datum ScannedRow::datum(int column) const {
    bool null = false;
    Datum datum = call([&] { return slot_getattr(slot_, column, &null); });
    return null ? Datum{0} : datum;
}

bool ScannedRow::is_null(int column) const {
    return call([&] { return slot_attisnull(slot_, column); });
}

std::string ScannedRow::text(int column) const {
    if (TupleDescAttr(slot_->tts_tupleDescriptor, column - 1)->atttypid == NAMEOID)
        return NameStr(*DatumGetName(datum(column)));
    return string_from_varlena(datum(column));
}

std::optional<std::string> ScannedRow::optional_text(int column) const {
    if (is_null(column))
        return std::nullopt;
    return text(column);
}

namespace {

/// An open scan. After an error, the (sub)transaction abort releases its resources.
struct Scan {
    Relation relation;
    Snapshot snapshot; // registered if it is an MVCC snapshot
    TableScanDesc scan;
    TupleTableSlot *slot;
};

Scan begin_scan(Oid table, bool uncommitted) {
    Scan open{};
    open.relation = OidIsValid(table) ? try_relation_open(table, AccessShareLock) : nullptr;
    if (!open.relation)
        return open;
    if (uncommitted) {
        open.snapshot = static_cast<Snapshot>(palloc0(sizeof(SnapshotData)));
        InitDirtySnapshot(*open.snapshot);
    } else {
        open.snapshot = RegisterSnapshot(GetLatestSnapshot());
    }
    open.scan = table_beginscan(open.relation, open.snapshot, 0, nullptr);
    open.slot = table_slot_create(open.relation, nullptr);
    return open;
}

void end_scan(const Scan &open) {
    ExecDropSingleTupleTableSlot(open.slot);
    table_endscan(open.scan);
    if (IsMVCCSnapshot(open.snapshot))
        UnregisterSnapshot(open.snapshot);
    relation_close(open.relation, AccessShareLock);
}

void scan(Oid table, bool uncommitted, const std::function<void(const ScannedRow &)> &visit) {
    Scan open = call([&] { return begin_scan(table, uncommitted); });
    if (!open.relation)
        return; // DROP EXTENSION is in progress
    while (call([&] { return table_scan_getnextslot(open.scan, ForwardScanDirection, open.slot); }))
        visit(ScannedRow(open.slot));
    call([&] { end_scan(open); });
}

} // namespace

void scan_latest(Oid table, const std::function<void(const ScannedRow &)> &visit) {
    scan(table, false, visit);
}

void scan_uncommitted(Oid table, const std::function<void(const ScannedRow &)> &visit) {
    scan(table, true, visit);
}

} // namespace snapback
