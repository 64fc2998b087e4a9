#pragma once
// Reads foreign keys from the current system catalogs. It needs no privileges and no SQL, so the guard can call it
// during any statement.
#include <span>

#include "postgres/spi/query.hpp"

namespace snapback {

/// A foreign key: rows of the child reference rows of the parent. A foreign key from or to a partition applies only to
/// the rows of the table that belong to that partition.
struct ForeignKey {
    std::string name;
    Oid child; // the table into which rows are restored
    Oid parent;
    Oid child_part; // the relation that has the key: the table itself or a partition
    Oid parent_part;
    Oid index; // unique index of the parent on the referenced columns
    struct Pair {
        std::string child_column;
        std::string parent_column;
        Oid child_type;
        Oid parent_type;
        Oid equals;        // operator: parent value on the left, child value on the right
        Oid parent_equals; // operator between two parent values
        bool child_nullable;
        bool nulled; // set by ON DELETE SET NULL
    };
    std::vector<Pair> pairs;
    enum class OnDelete {
        keep,
        cascade,
        set_null,
        set_default
    } on_delete = OnDelete::keep; // keep: NO ACTION or RESTRICT
    bool match_full = false;      // either all columns are NULL or none

    /// The same foreign key between the partitions, without conditions on partitions.
    ForeignKey of_parts() const;
    /// " AND (…)": the condition that a row of the parent or child table belongs to the partition of the key; empty if
    /// the key applies to all rows. An empty alias means bare column names.
    std::string parent_belongs(const std::string &alias) const;
    std::string child_belongs(const std::string &alias) const;
    /// "p.x OPERATOR(=) c.y AND …": the condition that a child row references a parent row.
    std::string refers(const std::string &parent_alias, const std::string &child_alias) const;
    /// The same condition for one pair of columns, given the two values as SQL.
    std::string refers(const Pair &pair, const std::string &parent_value, const std::string &child_value) const;
    /// "p.x OPERATOR(=) $1 AND …": the condition that the parameters, values of a child row, reference a parent row.
    std::string refers_by_parameters(const std::string &parent_alias) const;
    /// "a.x OPERATOR(=) b.x AND …": the condition that two parent rows have the same referenced values and that the key
    /// can reference the first.
    std::string same_parent(const std::string &a, const std::string &b) const;
    /// "c.y IS NOT NULL AND …": the condition that a child row references a parent.
    std::string refers_at_all(const std::string &child_alias) const;
};

/// A relation for a FROM clause (with partitions, without inheritance children), and its owner.
struct ReadableRelation {
    std::string from;
    Oid owner;
};
ReadableRelation readable(Oid relation);

// The following functions ignore foreign keys that are NOT ENFORCED.

/// All foreign keys from or to these tables or their partitions, without the inherited copies on partitions. Throws
/// Error (0A000) for a temporal foreign key, and for one of a partition whose partition key is an expression.
std::vector<ForeignKey> foreign_keys_of(std::span<const Oid> relations);

/// The foreign keys of a table, by name, without inherited copies and temporal ones. The parent may be a partition.
std::vector<ForeignKey> foreign_keys_from(Oid child);

/// A foreign key of a table by name, except temporal ones.
std::optional<ForeignKey> find_foreign_key(Oid child, const std::string &name);

} // namespace snapback
