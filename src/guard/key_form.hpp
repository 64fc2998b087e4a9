#pragma once
// How the key of a row is noted: the values of the key columns as they are in memory, without calling code of their
// types. The notes are read in the same cluster, where these bytes have the same meaning.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/spi/value.hpp"

namespace snapback {

/// A column of a relation as far as its values are copied and compared.
struct StoredColumn {
    AttrNumber number;
    Oid type;
    std::int16_t length;
    bool by_value;
};

/// Find a column of a relation; nothing if it does not exist or if triggers cannot see its value.
std::optional<StoredColumn> find_column(Oid relation, const std::string &name);

/// Append the values of some columns of a row. Values with equal bytes are equal. Return false if one is NULL.
bool append_image(std::string &image, const std::vector<StoredColumn> &columns, TupleTableSlot *row);

/// Whether two versions of a row have equal bytes in some columns.
bool same_image(const std::vector<StoredColumn> &columns, TupleTableSlot *one, TupleTableSlot *other);

/// The key of a protected table, as noted.
struct KeyForm {
    std::string id;                    // the key's columns and their types; keys of another form cannot be read
    std::vector<StoredColumn> columns; // in the relation that is written to

    /// The key of a protected table, in a relation that is the table or one of its partitions and children; nothing if
    /// the table has no key.
    static std::optional<KeyForm> of(Oid table, Oid written);
    /// The size of the first of some noted keys. Throws Error (XX001) if the bytes end too early.
    std::size_t size_of_first(std::string_view keys) const;
    /// The values of a noted key, in the current memory context.
    std::vector<Value> read(std::string_view key) const;
};

} // namespace snapback
