#pragma once
#include <string>
#include <vector>

#include "catalog/enum_columns.hpp"
#include "core/renames.hpp"
#include "core/shape.hpp"
#include "postgres/query.hpp"

namespace snapback {

/// A column as it is now, beside how it is stored.
struct LiveColumn {
    std::string name;
    AttrNumber number;
    Oid type;
    std::int32_t type_modifier;
    Oid collation;
    FieldForm form;
    bool always_identity;
};

/// A key column and the operator under which two of its values are the same.
struct KeyColumn {
    std::size_t column; // index into the columns
    std::string equals; // OPERATOR(schema.=)
};

/// A column whose values name labels of an enum that were renamed.
struct LabelledColumn {
    std::size_t column;
    LabelForm form;
    std::vector<Renames> renames;
    std::vector<std::string> labels; // of the enum, or the enums, as they are now
};

/// A live table, seen as stored rows are made of it: its plain columns (generated ones are computed, never stored) and
/// the key that names a row.
struct RelationShape {
    Oid relation;
    Oid owner;
    bool partitioned;
    std::string name; // qualified and quoted
    std::vector<LiveColumn> columns;
    std::vector<KeyColumn> key;
    std::vector<Renames> renames;         // of its columns, oldest first
    std::vector<LabelledColumn> labelled; // where there were renames
    Shape stored;

    /// The relation as a query reads it: ONLY itself, or with its partitions.
    std::string from() const { return partitioned ? name : "ONLY " + name; }
    std::size_t column_named(const std::string &name) const; // columns.size() where there is none
};

/// How values of a type are stored: as they are where Postgres keeps that form across versions and it holds no OID,
/// else in the type's text form.
FieldForm form_of(Oid type);

/// What the columns of stored rows are in the live table.
std::vector<ColumnNow> match_columns(const Shape &stored, const RelationShape &live);

/// The columns of stored rows, under the names of the live columns that take their values; one whose values no column
/// takes keeps its name, unless that is another's now: then it is called nothing.
std::vector<ShapeColumn> columns_as_called_now(const Shape &stored, const RelationShape &live);

/// Read a table's shape from the system catalogs, under a lock that keeps it; throws Error where it cannot be captured.
RelationShape relation_shape(Oid relation);

} // namespace snapback
