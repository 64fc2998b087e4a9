#pragma once
// Read a table of our own without SQL: no rights, no search_path, no plan; for what the guard must know at any moment.
#include <functional>

#include "postgres/value.hpp"

namespace snapback {

/// A table of the extension by its name, or InvalidOid while the extension is being made or dropped.
Oid own_table(const char *name);

/// One row of a scan; columns count from 1.
class ScannedRow {
public:
    explicit ScannedRow(TupleTableSlot *slot) : slot_(slot) {}
    bool is_null(int column) const;
    std::string text(int column) const; // text or name
    std::optional<std::string> optional_text(int column) const;
    Datum datum(int column) const; // 0 where NULL

private:
    TupleTableSlot *slot_;
};

/// Lock a table for reading and visit every row that is committed now, or written by this transaction.
void scan_latest(Oid table, const std::function<void(const ScannedRow &)> &visit);

} // namespace snapback
