#pragma once
// A basis: what a capture has read, so that a later one can tell which rows may have changed since. See also
// guard/removed_keys.hpp.
#include <map>
#include <optional>
#include <string>

#include "catalog/community_path.hpp"

namespace snapback {

/// The active snapshot as text, in the form of pg_snapshot: its transaction IDs have 64 bits.
std::string snapshot_taken();

/// The xmin of such a snapshot: every transaction that it does not see has this ID or a later one.
std::uint64_t oldest_unseen(const std::string &taken);

/// "age(t.xmin) BETWEEN …": whether the row version of this alias may have been written by a transaction from this ID
/// on. For a query that is run before this transaction writes again. It calls built-in functions only, because tables
/// are read as their owners, who may not use those of the extension.
std::string written_since(const std::string &alias, std::uint64_t since);

/// What must be the same when a snapshot is used as a basis, as jsonb in text form: database, files, columns, key,
/// path, types and guards of the table, as the active snapshot sees the system catalogs. Call it under the snapshot
/// that the rows are read with, before they are read: a later change then makes a difference to the next fingerprint.
std::string table_fingerprint(const ProtectedTable &table, Oid relation);

/// Why changes since a basis cannot be told for a table, so that it must be read in full; nothing if they can be told.
/// `taken` and `at_basis` are what was stored, `now` is the fingerprint under the active snapshot.
std::optional<std::string> basis_fault(const std::string &taken, const std::string &at_basis, const std::string &now);

/// What a capture has stored so that a later one can find the changes since.
struct Basis {
    std::string taken;                                // the MVCC snapshot
    std::map<std::int32_t, std::string> fingerprints; // by table

    /// Whether the changes of a table can be found; otherwise it must be read in full.
    bool holds(std::int32_t table, const std::string &fingerprint_now) const;
    /// The oldest transaction that the MVCC snapshot may not see.
    std::uint64_t since() const { return oldest_unseen(taken); }
};

/// The bases with these IDs.
std::map<std::string, Basis> read_bases(const std::vector<std::string> &ids);

} // namespace snapback
