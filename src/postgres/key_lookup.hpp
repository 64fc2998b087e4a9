#pragma once
// A row looked up by its key through its index, without SQL: no plan, no rights, and no code but the index's.
#include <span>
#include <vector>

#include "postgres/value.hpp"

namespace snapback {

class KeyLookup {
public:
    /// One column of the key: the relation's column on the operator's left, a value of this type on its right.
    struct Part {
        AttrNumber column;
        Oid type;
        Oid equals;
    };

    /// Whether rows of the relation can be found so: it is a plain table, the index a B-tree over these very columns,
    /// and the values need no cast.
    static bool serves(Oid relation, Oid index, std::span<const Part> key);
    /// Prepare to look up these columns of rows; only where it serves.
    KeyLookup(Oid relation, Oid index, std::span<const Part> key, std::span<const AttrNumber> selected);

    /// Append the selected columns of every row that has the key at this moment: the committed one, unless this
    /// transaction has deleted it, and what this and other transactions are about to put in its place. Return how many
    /// rows there are: rarely more than one.
    std::size_t find(std::span<const Value> key, std::vector<Value> &found) const;

private:
    /// A key column as the index knows it.
    struct ScanPart {
        std::size_t position; // in the key
        AttrNumber column;
        std::int16_t length;
        bool by_value;
        Oid subtype;
        Oid collation;
        RegProcedure function;
    };
    struct Selected {
        AttrNumber column;
        Oid type;
        std::int16_t length;
        bool by_value;
    };
    struct Search;

    void search_index(Search &search) const;
    void scan_index(Search &search, Relation index, Snapshot snapshot) const;
    bool look_where_it_was(Search &search) const;
    bool has_key(const Search &search, HeapTuple tuple) const;
    std::uint32_t hash(const Search &search) const;

    Oid relation_;
    Oid index_;
    bool traceable_ = true;       // values of fixed length, of one type on both sides: the same bytes are the same key
    std::vector<ScanPart> parts_; // in the index's order
    std::vector<Selected> selected_;
};

} // namespace snapback
