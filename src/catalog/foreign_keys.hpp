#pragma once
#include "postgres/query.hpp"

namespace snapback {

/// A foreign key: rows of the child refer to rows of the parent.
struct ForeignKey {
    std::string name;
    Oid child;
    Oid parent;
    struct Pair {
        std::string child_column;
        std::string parent_column;
        std::string equals;        // OPERATOR(schema.=), parent value on the left
        std::string parent_equals; // the same among the parent's values
        bool child_nullable;
        bool nulled; // by ON DELETE SET NULL
    };
    std::vector<Pair> pairs;
    enum class OnDelete { keep, cascade, set_null, set_default } on_delete; // keep: NO ACTION or RESTRICT

    /// "p.x OPERATOR(=) c.y AND …": a parent's row, by its alias, and a child's row that refers to it.
    std::string refers(const std::string &parent_alias, const std::string &child_alias) const;
    /// "a.x OPERATOR(=) b.x AND …": two rows of the parent that have the same referenced values.
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

/// Every foreign key that leads from or to one of these tables; of a partitioned table's, only the key itself and not
/// its copies on the partitions.
std::vector<ForeignKey> foreign_keys_of(std::span<const Oid> relations);

} // namespace snapback
