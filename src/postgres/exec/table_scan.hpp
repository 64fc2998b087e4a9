#pragma once
// Scans of the extension's own tables without SQL: no permission checks, no search_path, no plan. Used by the write
// guard.
#include <functional>

#include "postgres/spi/value.hpp"

namespace snapback {

/// The OID of an extension table; InvalidOid while the extension is being created or dropped.
Oid own_table(const char *name);

/// One row of a scan; columns count from 1.
class ScannedRow {
public:
    explicit ScannedRow(TupleTableSlot *slot) : slot_(slot) {}
    bool is_null(int column) const;
    std::string text(int column) const; // of a text or name
    std::optional<std::string> optional_text(int column) const;
    Datum datum(int column) const; // 0 if NULL

private:
    TupleTableSlot *slot_;
};

/// Lock a table for reading and visit every row that is committed, or written by this transaction.
void scan_latest(Oid table, const std::function<void(const ScannedRow &)> &visit);

/// The same, and also visit rows that other transactions have written or deleted and not yet committed.
void scan_uncommitted(Oid table, const std::function<void(const ScannedRow &)> &visit);

} // namespace snapback
