#pragma once
// The one reader of foreign keys. It reads the catalogs as they are at this moment, with no rights and no SQL, so that
// the guard may ask in the midst of any statement.
#include <span>

#include "postgres/query.hpp"

namespace snapback {

/// A foreign key: rows of the child refer to rows of the parent. A partition may have one of its own, or be what one
/// refers to: then it is about those rows of the table that are, or belong, in that partition.
struct ForeignKey {
    std::string name;
    Oid child; // the table that rows are restored into
    Oid parent;
    Oid child_part; // what has the key: that table itself, or a partition
    Oid parent_part;
    Oid index; // the parent's, which keeps the referenced values unique
    struct Pair {
        std::string child_column;
        std::string parent_column;
        Oid child_type;
        Oid parent_type;
        Oid equals;        // operator: parent value on the left, child value on the right
        Oid parent_equals; // the same among the parent's values
        bool child_nullable;
        bool nulled; // by ON DELETE SET NULL
    };
    std::vector<Pair> pairs;
    enum class OnDelete { keep, cascade, set_null, set_default } on_delete = OnDelete::keep; // keep: or RESTRICT
    bool match_full = false; // its columns are NULL all together or not at all

    /// The same between the partitions alone, whose rows need not be told from the tables' others.
    ForeignKey of_parts() const;
    /// " AND (…)": a row of the parent's, or of the child's table belongs in the partition that the key is about;
    /// nothing where it is about all rows. Without an alias over bare column names.
    std::string parent_belongs(const std::string &alias) const;
    std::string child_belongs(const std::string &alias) const;
    /// "p.x OPERATOR(=) c.y AND …": a parent's row, by its alias, and a child's row that refers to it.
    std::string refers(const std::string &parent_alias, const std::string &child_alias) const;
    /// The condition that a parent's row has this value of a pair's column, and a child's row that one.
    std::string refers(const Pair &pair, const std::string &parent_value, const std::string &child_value) const;
    /// "p.x OPERATOR(=) $1 AND …": the parent's row that the parameters, a child's values, refer to.
    std::string refers_by_parameters(const std::string &parent_alias) const;
    /// "a.x OPERATOR(=) b.x AND …": two rows of the parent that have the same referenced values; the first can be
    /// referred to.
    std::string same_parent(const std::string &a, const std::string &b) const;
    /// "c.y IS NOT NULL AND …": the child's row refers to some parent.
    std::string refers_at_all(const std::string &child_alias) const;
};

/// A relation as a query reads it (partitions belong to it, inheritance children do not), and its owner.
struct ReadableRelation {
    std::string from;
    Oid owner;
};
ReadableRelation readable(Oid relation);

// Those that are declared NOT ENFORCED are none to anybody.

/// Every foreign key that leads from or to one of these tables or a partition of theirs; of a partitioned table's, only
/// the key itself and not its copies on the partitions. Fails where one refers to periods, and where a partition has
/// one whose rows are told by an expression.
std::vector<ForeignKey> foreign_keys_of(std::span<const Oid> relations);

/// The foreign keys that lead from a table to one row each, in the order of their names; without such copies. Their
/// parents are what they name, be it a partition.
std::vector<ForeignKey> foreign_keys_from(Oid child);

/// A table's foreign key to one row by its name, if there is one.
std::optional<ForeignKey> find_foreign_key(Oid child, const std::string &name);

} // namespace snapback
