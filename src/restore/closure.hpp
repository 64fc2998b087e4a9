#pragma once
#include <map>

#include "restore/plan.hpp"

namespace snapback {

/// Closes a plan under the foreign keys that lead in and out of it, and under unique values that others hold: keeps
/// what others refer to, takes what goes with a deleted row, brings back what is referred to, leaves out what cannot
/// be written, until none of that asks for more.
class Closure {
public:
    Closure(Query &query, Plan &plan) : query_(query), plan_(plan) {}
    void run();

private:
    /// What a foreign key has asked for.
    struct Tally {
        ForeignKey key;
        std::uint64_t returned = 0; // rows of the parent
        std::uint64_t unlinked = 0; // rows of the child
        std::uint64_t taken = 0;    // rows of the child
    };

    bool follows() const { return plan_.order().terms.held == Terms::Held::follow; }
    std::vector<ForeignKey> keys() const { return plan_.foreign_keys(); }
    Tally &tally(const ForeignKey &key);

    bool settle_removals();
    bool take_dependants(const ForeignKey &key);
    bool keep_held_rows(const ForeignKey &key);
    std::string holders(const ForeignKey &key, const TablePlan *child) const;
    void take_nothing();
    void clear_references(const ForeignKey &key);

    bool bring_back_parents(const ForeignKey &key);
    void find_orphans(const ForeignKey &key, const TablePlan &child, TupleStore &orphans);
    std::string reaches_community(const ForeignKey &key, const TablePlan &child) const;
    bool leave_dependants(const ForeignKey &key, TablePlan &child);
    std::uint64_t take_parents(const ForeignKey &key, const TablePlan &child, TablePlan &parent);
    void unlink_orphans(const ForeignKey &key, TablePlan &child, std::uint64_t orphans);
    std::uint64_t count_astray(const ForeignKey &key, const TablePlan &child) const;
    void refuse_orphans(const ForeignKey &key, TablePlan &child, std::uint64_t orphans, const std::string &why,
                        const std::string &hint = "Bring those rows back first, or restore other options.");

    void refuse_lost_values(const ForeignKey &key);

    bool leave_conflicts();
    void drop_idle_updates();
    void gather_what_was_taken();
    std::uint64_t held_by(const ForeignKey &key, const TablePlan &parent);
    void write_notes();

    Query &query_;
    Plan &plan_;
    std::map<std::pair<Oid, std::string>, Tally> tallies_; // by child and name
};

} // namespace snapback
