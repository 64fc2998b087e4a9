#pragma once
#include "catalog/foreign_keys.hpp"
#include "restore/table_plan.hpp"
#include "restore/terms.hpp"

namespace snapback {

/// What a restore will do, before anything is written. The preview shows it, the restore carries it out.
class Plan {
public:
    /// Plan the restore of these options from a snapshot, on these terms, against the rows as they are now.
    Plan(Query &query, Manifest manifest, const std::vector<std::string> &options, Terms terms);

    const std::string &community() const { return manifest_.community; }
    const Manifest &manifest() const { return manifest_; }
    const Terms &terms() const { return terms_; }
    const std::vector<std::unique_ptr<TablePlan>> &tables() const { return tables_; }
    const std::vector<ForeignKey> &foreign_keys() const { return foreign_keys_; }
    /// The plan of the table with this OID, or null.
    TablePlan *table(Oid relation) const;
    /// Whether writes to the relation are guarded, in the plan or not.
    bool is_protected(Oid relation) const;

private:
    void add_selected_tables(const std::vector<std::string> &options);
    TablePlan &add_table(const ProtectedTable &table, const ManifestTable &stored, Selection selection);
    void close_under_foreign_keys();
    bool keep_held_rows(const ForeignKey &key);
    bool bring_back_parents(const ForeignKey &key);
    TablePlan *parent_plan(Oid parent);
    std::uint64_t take_parents(const ForeignKey &key, const TablePlan &child, TablePlan &parent);
    void unlink_orphans(const ForeignKey &key, TablePlan &child, std::uint64_t orphans);
    void drop_idle_updates();
    void find_foreign_keys();

    Query &query_;
    Manifest manifest_;
    Terms terms_;
    std::vector<ProtectedTable> protected_;
    std::vector<std::unique_ptr<TablePlan>> tables_;
    std::vector<ForeignKey> foreign_keys_;
};

} // namespace snapback
