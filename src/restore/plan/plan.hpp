#pragma once
#include <unordered_map>

#include "catalog/foreign_keys.hpp"
#include "restore/apply/progress.hpp"
#include "restore/plan/current_rows.hpp"
#include "restore/plan/table_plan.hpp"

namespace snapback {

/// What is to be restored, and how.
struct RestoreSpec {
    Manifest manifest;
    std::vector<std::string> options;
    RestoreOptions switches;
    bool rows_must_exist = true;  // those that the switches name
    Progress *progress = nullptr; // of the restore; a preview has none

    /// Show which table is being looked at.
    void look_at(const std::string &relation, std::uint64_t rows) const {
        if (progress)
            progress->table(relation, rows);
    }
};

/// A chosen table that nothing can be planned for.
struct UnusableTable {
    std::string name; // as the snapshot has it
    std::vector<std::string> options;
    Error obstacle;
};

/// What a restore will do, before anything is written. The preview shows it, the restore carries it out.
class Plan {
public:
    /// Plan a restore against the rows as they are now.
    Plan(Query &query, const RestoreSpec &spec, CurrentRows &current);

    const RestoreSpec &spec() const { return spec_; }
    const std::string &community() const { return spec_.manifest.community; }
    const std::vector<std::unique_ptr<TablePlan>> &tables() const { return tables_; }
    /// The same in the order in which people are shown them: by name.
    std::vector<const TablePlan *> tables_by_name() const;
    /// The chosen tables that are no more, or not what can be restored: obstacles too.
    const std::vector<UnusableTable> &unusable() const { return unusable_; }
    /// The foreign keys from and to its tables; a copy, since there are more once a table has joined.
    std::vector<ForeignKey> foreign_keys() const { return foreign_keys_; }
    /// The plan of the table with this OID, or null.
    TablePlan *table(Oid relation) const;
    /// The same; a table that is in the snapshot joins the plan with nothing selected. Null for any other.
    TablePlan *join(Oid relation, Extent extent = Extent::differing);
    /// The protected table that this relation is, for this community, in the plan or not; null for any other.
    const ProtectedTable *protected_table(Oid relation) const;
    /// Throw the first thing that keeps the restore from being done, if any does.
    void require_no_obstacle() const;
    /// Let go of the rows as they are in the snapshot, once it is planned what becomes of them.
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
    std::vector<std::unique_ptr<TablePlan>> tables_;
    std::unordered_map<Oid, TablePlan *> by_relation_;
    std::vector<UnusableTable> unusable_;
    std::vector<ForeignKey> foreign_keys_;
};

} // namespace snapback
