#pragma once
#include <string>
#include <vector>

#include "catalog/enum_columns.hpp"
#include "core/renames.hpp"
#include "core/shape.hpp"
#include "postgres/spi/query.hpp"

namespace snapback {

/// A column of a live table, and its storage form.
struct LiveColumn {
    std::string name;
    AttrNumber number;
    Oid type;
    std::int32_t type_modifier;
    Oid collation;
    FieldForm form;
    bool always_identity;
};

/// A key column and its equality operator.
struct KeyColumn {
    std::size_t column; // index into the columns
    std::string equals; // OPERATOR(schema.=)
};

/// A column that contains renamed labels of an enum.
struct LabelledColumn {
    std::size_t column;
    LabelForm form;
    std::vector<Renames> renames;
    std::vector<std::string> labels; // the current labels of the enum or enums
};

/// A live table as it is captured: its columns, without generated ones, and the key that identifies a row.
struct RelationShape {
    Oid relation;
    Oid owner;
    bool partitioned;
    std::string name; // qualified and quoted
    std::vector<LiveColumn> columns;
    std::vector<KeyColumn> key;
    std::vector<Renames> renames;         // of its columns, oldest first
    std::vector<LabelledColumn> labelled; // only if labels were renamed
    Shape stored;

    /// The relation in a FROM clause: with its partitions, without inheritance children.
    std::string from() const { return partitioned ? name : "ONLY " + name; }
    std::size_t column_named(const std::string &name) const; // columns.size() if there is none
};

/// The storage form of a type: binary if Postgres keeps that form across versions and it contains no OID, otherwise
/// text.
FieldForm form_of(Oid type);

/// Map the columns of stored rows to those of the live table.
std::vector<ColumnNow> match_columns(const Shape &stored, const RelationShape &live);

/// The columns of stored rows with the names of the live columns that they map to. A column that maps to none keeps its
/// name, or has an empty name if another column has that name now.
std::vector<ShapeColumn> columns_as_called_now(const Shape &stored, const RelationShape &live);

/// Lock a table and read its shape from the system catalogs; throws Error if the table cannot be captured.
RelationShape relation_shape(Oid relation);

} // namespace snapback
