#pragma once
#include <memory>

#include "catalog/community_path.hpp"
#include "catalog/relation_shape.hpp"
#include "postgres/tuple_store.hpp"
#include "snapshot/manifest.hpp"

namespace snapback {

/// Which part of a table the chosen options cover, as SQL conditions over its columns.
struct Selection {
    std::string rows; // whole rows are restored where this holds; empty: nowhere
    struct Part {
        std::vector<std::string> columns;
        std::string rows; // these columns alone are restored where this holds
    };
    std::vector<Part> parts;

    bool empty() const { return rows.empty() && parts.empty(); }
};

/// The condition that two rows, given as lists of columns, differ in some byte of some value.
std::string images_differ(const std::string &a, const std::string &b);

/// What a restore will do to one table. The stores hold rows of the live table's plain columns; queries of the
/// restore's connection see them as <kind>_<table id>.
struct TablePlan {
    TablePlan(Query &query, const ProtectedTable &table, RelationShape live, const ManifestTable &stored);

    /// The kinds' names as queries write them.
    std::string see(const char *kind) const { return std::string(kind) + "_" + std::to_string(table.id); }
    /// "a.x OPERATOR(=) b.x AND …" over the key, for two aliases.
    std::string same_key(const std::string &a, const std::string &b) const;
    /// "a.x, a.y, …" over all columns; alias may be empty.
    std::string columns(const std::string &alias) const;

    /// All rows that will be written, as they will be: a subquery over insert, update and reinsert.
    std::string written_rows() const;
    /// How many rows will be changed, and how many written: with the inserted.
    std::uint64_t changed() const { return update.size() + reinsert.size(); }
    std::uint64_t written() const { return insert.size() + changed(); }

    ProtectedTable table;
    RelationShape live;
    ManifestTable stored;
    Selection selection;
    std::vector<bool> mapped; // per live column: the snapshot has it

    TupleStore wanted;   // rows as in the snapshot, of chunks that differ
    TupleStore present;  // rows as they are, of chunks that differ
    TupleStore insert;   // missing rows
    TupleStore update;   // changed rows, as they will be
    TupleStore reinsert; // changed rows that cannot be updated in place
    TupleStore remove;   // rows added since

    std::uint64_t live_rows = 0; // how many there are now, in all
    std::uint64_t kept = 0;      // rows added since that stay, since others refer to them
    std::uint64_t returned = 0;  // rows outside the selection that come back, since others refer to them
    std::uint64_t unlinked = 0;  // references set to NULL, since their row is in no snapshot
};

} // namespace snapback
