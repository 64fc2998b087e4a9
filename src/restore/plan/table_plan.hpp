#pragma once
#include <memory>

#include "catalog/community_path.hpp"
#include "catalog/relation_shape.hpp"
#include "catalog/row_keys.hpp"
#include "core/digest.hpp"
#include "core/figures.hpp"
#include "postgres/spi/tuple_store.hpp"
#include "restore/plan/computed_columns.hpp"
#include "restore/plan/obstacle.hpp"
#include "restore/plan/selection.hpp"
#include "snapshot/manifest.hpp"

namespace snapback {

/// The condition that two rows, given as lists of columns, differ in any byte.
std::string images_differ(const std::string &a, const std::string &b);

/// The rows of a table to read: those that differ, or all.
enum class Extent { differing, all };

/// The figures of one option, or outside all options.
struct Part {
    std::string option; // empty: none
    Figures figures;
    std::string digest; // of the writes, in hexadecimal
};

/// The changes of a restore to one table. The rows of the stores have the live table's plain columns and the generated
/// columns that foreign keys use. Queries of the restore's connection see the stores as <kind>_<table id>.
struct TablePlan {
    TablePlan(Query &query, const ProtectedTable &table, RelationShape live, const ManifestTable &stored);

    /// The name of a store in queries.
    std::string see(const char *kind) const { return std::string(kind) + "_" + std::to_string(table.id); }
    /// "a.x OPERATOR(=) b.x AND …" over the key, for two aliases.
    std::string same_key(const std::string &a, const std::string &b) const { return snapback::same_key(live, a, b); }
    /// "a.x, a.y, …" over all columns of the stores, or over the plain ones; alias may be empty.
    std::string columns(const std::string &alias) const;
    std::string plain_columns(const std::string &alias) const;
    /// Extend a query over plain columns by the generated columns; to be run as the table's owner.
    std::string with_computed(const std::string &rows) const;
    /// Whether rows get a value of this column from the plan: it is neither generated nor left to its default.
    bool takes(const std::string &column) const;

    /// A subquery with all written rows, as they will be: insert, update and reinsert.
    std::string written_rows() const { return all_of({"insert", "update", "reinsert"}); }
    /// The number of changed rows, and of written rows including inserted ones.
    std::uint64_t changed() const { return update.size() + reinsert.size(); }
    std::uint64_t written() const { return insert.size() + changed(); }
    /// A subquery with all rows of these stores.
    std::string all_of(std::initializer_list<const char *> kinds) const;
    /// Add defaults to the loaded rows of the snapshot, and generated columns to both sides.
    void complete(Query &query);
    /// Discard the selection and the rows of both sides.
    void select_nothing();
    /// Whether each row is known to have a counterpart on the other side.
    bool has_pairs_only() const { return pairs == wanted.size() && pairs == present.size(); }
    /// The number of rows that do not change.
    std::uint64_t left() const { return live_rows - changed() - remove.size(); }

    ProtectedTable table;
    RelationShape live;
    ManifestTable stored;
    Selection selection;
    std::vector<bool> mapped;    // per live column: whether the snapshot contains it
    std::uint64_t pairs = 0;     // rows that differ and are known to be on both sides
    std::vector<bool> null_then; // per live column: whether it is NULL in a differing row of the snapshot
    std::vector<ComputedColumn> computed;

    TupleStore wanted;   // rows of the snapshot that differ
    TupleStore present;  // current rows that differ
    TupleStore orphans;  // present rows that now belong to no community
    TupleStore insert;   // missing rows
    TupleStore update;   // changed rows, as they will be
    TupleStore reinsert; // changed rows that cannot be updated in place
    TupleStore added;    // added rows that the selection covers
    TupleStore kept;     // added rows that remain because others refer to them
    TupleStore remove;   // rows to delete: other added rows, and rows that they cascade to
    TupleStore outside;  // rows outside the selection that are inserted, changed or deleted, as they are if they exist
    TupleStore skipped;  // rows that are not restored because another row holds their unique value
    TupleStore only;     // rows that the selection names, on both sides
    TupleStore children; // rows that refer to these, on both sides
    TupleStore also;     // additional rows of the selection, on both sides

    std::vector<Obstacle> obstacles; // why the restore would fail
    std::vector<std::string> notes;  // what else the owner should know
    std::vector<Oid> kept_by;        // tables whose rows keep rows of this one

    std::uint64_t live_rows = 0; // the current number of rows
    std::uint64_t parents = 0;   // restored rows outside the selection that others refer to
    std::uint64_t nulled = 0;    // references set to NULL because their row is not in the snapshot
    std::uint64_t cascaded = 0;  // rows outside the selection that ON DELETE deletes or sets to NULL
    std::vector<std::uint64_t>
        nulled_by_option;    // the last one is outside all options; empty if all count for each option
    std::vector<Part> parts; // the figures of each option, after planning

private:
    std::optional<std::string> with_defaults() const;
};

/// Hash the planned writes of a table: their kind and the bytes of their rows, independent of the order of rows.
Digest digest_of(Query &query, const TablePlan &plan);
/// The same for the rows of these subqueries; an empty text means no rows.
Digest digest_of(Query &query, const TablePlan &plan, const std::string &inserted, const std::string &changed,
                 const std::string &removed);

} // namespace snapback
