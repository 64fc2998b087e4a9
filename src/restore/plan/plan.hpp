#pragma once
#include <unordered_map>

#include "catalog/foreign_keys.hpp"
#include "restore/apply/progress.hpp"
#include "restore/plan/current_rows.hpp"
#include "restore/plan/table_plan.hpp"
#include "snapshot/basis.hpp"

namespace snapback {

/// What to restore, and how.
struct RestoreSpec {
    Manifest manifest;
    std::vector<std::string> options;
    RestoreOptions switches;
    bool rows_must_exist = true;  // rows that the switches name
    Progress *progress = nullptr; // NULL for a preview

    /// Show which table is read.
    void look_at(const std::string &relation, std::uint64_t rows) const {
        if (progress)
            progress->table(relation, rows);
    }
};

/// A chosen table that cannot be planned.
struct UnusableTable {
    std::string name; // its name in the snapshot
    std::vector<std::string> options;
    Error obstacle;
};

/// The changes of a restore. The preview shows the plan, the restore executes it.
class Plan {
public:
    /// Plan a restore for the current rows.
    Plan(Query &query, const RestoreSpec &spec, CurrentRows &current);

    const RestoreSpec &spec() const { return spec_; }
    const std::string &community() const { return spec_.manifest.community; }
    const std::vector<std::unique_ptr<TablePlan>> &tables() const { return tables_; }
    /// The same, ordered by name.
    std::vector<const TablePlan *> tables_by_name() const;
    /// The chosen tables that no longer exist or cannot be restored; they are obstacles too.
    const std::vector<UnusableTable> &unusable() const { return unusable_; }
    /// The foreign keys from and to its tables; a copy, because join() may add more.
    std::vector<ForeignKey> foreign_keys() const { return foreign_keys_; }
    /// The plan of the table with this OID, or NULL.
    TablePlan *table(Oid relation) const;
    /// The same; a table of the snapshot is added to the plan with nothing selected. NULL for other tables.
    TablePlan *join(Oid relation, Extent extent = Extent::differing);
    /// The protected table of this relation in this community, even if it is not in the plan; NULL for other relations.
    const ProtectedTable *protected_table(Oid relation) const;
    /// Whether any row is inserted, changed or deleted.
    bool writes_rows() const;
    /// Throw the first obstacle, if any.
    void require_no_obstacle() const;
    /// Release the rows of the snapshot, which are not needed after planning.
    void forget_snapshot_rows();

private:
    void add_selected_tables();
    static void note_obstacle(TablePlan &plan, std::optional<Error> obstacle);
    std::optional<Error> load(TablePlan &plan, Extent extent);
    std::optional<RelationShape> look_up(const ProtectedTable &table, const ManifestTable &stored,
                                         const Selection &selection);
    TablePlan &add_table(const ProtectedTable &table, RelationShape live, const ManifestTable &stored,
                         Selection selection, Extent extent);
    const TablePlan *path_parent(const TablePlan &plan) const;
    void find_foreign_keys();

    Query &query_;
    const RestoreSpec &spec_;
    CurrentRows &current_;
    std::vector<ProtectedTable> protected_;
    std::optional<Basis> basis_; // of the snapshot
    std::vector<std::unique_ptr<TablePlan>> tables_;
    std::unordered_map<Oid, TablePlan *> by_relation_;
    std::vector<UnusableTable> unusable_;
    std::vector<ForeignKey> foreign_keys_;
};

/// Throw Error (SB011) if a request is strict and the plan differs from its preview.
void require_previewed_plan(Query &query, const std::string &restore, const Plan &plan);

} // namespace snapback
