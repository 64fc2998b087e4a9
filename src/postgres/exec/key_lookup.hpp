#pragma once
// Index lookup of a row by its key without SQL: no plan, no permission checks, no code except the index's.
#include <span>
#include <vector>

#include "postgres/spi/value.hpp"

namespace snapback {

class KeyLookup {
public:
    /// One column of the key: the relation's column is the operator's left operand, a value of this type the right
    /// operand.
    struct Part {
        AttrNumber column;
        Oid type;
        Oid equals;
    };

    /// Whether the lookup supports this key: the relation is a plain table, the index is a B-tree on exactly these
    /// columns, and the values need no cast.
    static bool serves(Oid relation, Oid index, std::span<const Part> key);
    /// Prepare a lookup that returns these columns. The key must be supported.
    KeyLookup(Oid relation, Oid index, std::span<const Part> key, std::span<const AttrNumber> selected);

    /// Which versions of a row are found. Current: the committed one, unless this transaction deleted it, and those
    /// that this or other transactions have not committed yet. Earlier: the committed one, as if this transaction had
    /// written nothing.
    enum class Rows { current, earlier };

    /// Append the selected columns of the versions of the row. Return their number, rarely more than one.
    std::size_t find(std::span<const Value> key, std::vector<Value> &found, Rows rows = Rows::current) const;

private:
    /// A key column in terms of the index.
    struct ScanPart {
        std::size_t position; // position in the key
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
    void search_earlier(Search &search) const;
    void scan_index(Search &search, Relation index, Snapshot snapshot) const;
    bool look_where_it_was(Search &search) const;
    bool has_key(const Search &search, HeapTuple tuple) const;
    std::uint32_t hash(const Search &search) const;

    Oid relation_;
    Oid index_;
    bool traceable_ = true;       // fixed-length values of one type: equal keys have equal bytes
    std::vector<ScanPart> parts_; // in index order
    std::vector<Selected> selected_;
};

} // namespace snapback
