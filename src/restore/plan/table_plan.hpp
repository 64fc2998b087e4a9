#pragma once
#include <memory>

#include "catalog/community_path.hpp"
#include "catalog/relation_shape.hpp"
#include "catalog/row_keys.hpp"
#include "postgres/spi/tuple_store.hpp"
#include "restore/plan/computed_columns.hpp"
#include "restore/plan/obstacle.hpp"
#include "restore/plan/selection.hpp"
#include "snapshot/manifest.hpp"

namespace snapback {

/// The condition that two rows, given as lists of columns, differ in some byte of some value.
std::string images_differ(const std::string &a, const std::string &b);

/// Which rows of a table are looked at: those that differ, or all of them.
enum class Extent { differing, all };

/// How many rows of a table, or of a part of it, a plan speaks of.
struct Figures {
    std::uint64_t inserts = 0;
    std::uint64_t updates = 0;
    std::uint64_t deletes = 0;
    std::uint64_t unchanged = 0; // rows that stay as they are
    std::uint64_t kept = 0;      // added rows that stay, since others refer to them
    std::uint64_t parents = 0;   // of the inserted, rows outside the selection
    std::uint64_t nulled = 0;    // references that are set to NULL
    std::uint64_t cascaded = 0;  // rows outside the selection that are deleted or set to NULL
    std::uint64_t skipped = 0;   // rows that are not restored
};

/// What counts under one option, or outside of all of them.
struct Part {
    std::string option; // empty: none
    Figures figures;
    std::string digest; // of what is written, in hexadecimal
};

/// What a restore will do to one table. The stores hold rows of the live table's plain columns, and of those generated
/// ones that foreign keys are made of; queries of the restore's connection see them as <kind>_<table id>.
struct TablePlan {
    TablePlan(Query &query, const ProtectedTable &table, RelationShape live, const ManifestTable &stored);

    /// The kinds' names as queries write them.
    std::string see(const char *kind) const { return std::string(kind) + "_" + std::to_string(table.id); }
    /// "a.x OPERATOR(=) b.x AND …" over the key, for two aliases.
    std::string same_key(const std::string &a, const std::string &b) const { return snapback::same_key(live, a, b); }
    /// "a.x, a.y, …" over all columns of the stores, or over the plain ones; alias may be empty.
    std::string columns(const std::string &alias) const;
    std::string plain_columns(const std::string &alias) const;
    /// A query over the rows of one that delivers the plain columns, with the generated columns computed from them; to
    /// be run as the table's owner.
    std::string with_computed(const std::string &rows) const;
    /// Whether rows are given a value of this column: it is neither generated nor left to its default.
    bool takes(const std::string &column) const;

    /// All rows that will be written, as they will be: a subquery over insert, update and reinsert.
    std::string written_rows() const { return all_of({"insert", "update", "reinsert"}); }
    /// How many rows will be changed, and how many written: with the inserted.
    std::uint64_t changed() const { return update.size() + reinsert.size(); }
    std::uint64_t written() const { return insert.size() + changed(); }
    /// The rows of stores, all of them: a subquery.
    std::string all_of(std::initializer_list<const char *> kinds) const;
    /// Give the rows as they were what they will be given, defaults included, and both sides their generated columns;
    /// once they are loaded.
    void complete(Query &query);
    /// Forget what is selected, and the rows that it was to be compared with.
    void select_nothing();
    /// Whether each row of both sides is known to have its counterpart on the other.
    bool has_pairs_only() const { return pairs == wanted.size() && pairs == present.size(); }
    /// How many rows stay as they are.
    std::uint64_t left() const { return live_rows - changed() - remove.size(); }

    ProtectedTable table;
    RelationShape live;
    ManifestTable stored;
    Selection selection;
    std::vector<bool> mapped;    // per live column: the snapshot has it
    std::uint64_t pairs = 0;     // of the rows that differ: those that are there on both sides, as far as is known
    std::vector<bool> null_then; // per live column: some row of the snapshot that differs has no value for it
    std::vector<ComputedColumn> computed;

    TupleStore wanted;   // rows as in the snapshot, where they differ
    TupleStore present;  // rows as they are, where they differ
    TupleStore orphans;  // of the present rows, those that belong to no community now
    TupleStore insert;   // missing rows
    TupleStore update;   // changed rows, as they will be
    TupleStore reinsert; // changed rows that cannot be updated in place
    TupleStore added;    // rows added since, where the selection covers them
    TupleStore kept;     // of the added, those that stay, since others refer to them
    TupleStore remove;   // rows to delete: the other added ones, and rows that they cascade to
    TupleStore outside;  // rows beyond the selection that are inserted, changed or deleted, as they are where they are
    TupleStore skipped;  // rows that are not restored, since another row holds a unique value of theirs
    TupleStore only;     // the selection's chosen rows, as they were and as they are
    TupleStore children; // rows that refer to chosen rows and are chosen with them, likewise
    TupleStore also;     // the selection's further rows, likewise

    std::vector<Obstacle> obstacles; // what keeps the restore from being done
    std::vector<std::string> notes;  // what else an owner should know
    std::vector<Oid> kept_by;        // the tables whose rows keep rows of this one

    std::uint64_t live_rows = 0; // how many there are now, in all
    std::uint64_t parents = 0;   // rows outside the selection that come back, since others refer to them
    std::uint64_t nulled = 0;    // references set to NULL, since their row is in no snapshot
    std::uint64_t cascaded = 0;  // rows outside the selection that a foreign key's ON DELETE deletes or sets to NULL
    std::vector<std::uint64_t> nulled_by_option; // and last those of none; empty where all count under each
    std::vector<Part> parts;                     // the figures by option, once the plan is made

private:
    std::optional<std::string> with_defaults() const;
};

} // namespace snapback
