#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/shape.hpp"

namespace snapback {

/// One key column: its position in stored rows, and the form of its values.
struct KeyPart {
    std::size_t column;
    FieldForm form;
    bool is_signed; ///< whether a number is signed
};

/// The order of a table's stored rows: its key columns.
std::vector<KeyPart> key_order(const Shape &shape);

/// Append a stored value in sortable form: values sort as unsigned bytes and none is a prefix of another
/// (docs/format.md).
void append_sortable(std::string &key, const KeyPart &part, std::string_view value);

/// Reads the keys of stored rows.
class KeyReader {
public:
    /// `columns`: the number of fields in a row; `key`: the order of the rows.
    KeyReader(std::size_t columns, std::vector<KeyPart> key) : columns_(columns), key_(std::move(key)) {}
    explicit KeyReader(const Shape &shape) : KeyReader(shape.columns.size(), key_order(shape)) {}
    /// Read a row's key in sortable form into `key`. Throws Error (XX001) if the row is malformed.
    void read(std::string_view row, std::string &key);
    std::string key_of(std::string_view row) {
        std::string key;
        read(row, key);
        return key;
    }

private:
    std::size_t columns_;
    std::vector<KeyPart> key_;
    std::vector<std::optional<std::string_view>> fields_;
};

} // namespace snapback
