#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace snapback {

/// How a column's values are kept in stored rows (docs/format.md).
enum class FieldForm {
    word1,   ///< a number of one byte
    word2,   ///< a number of two bytes, lowest first
    word4,   ///< a number of four bytes, lowest first
    word8,   ///< a number of eight bytes, lowest first
    fixed16, ///< sixteen bytes as they are (uuid)
    payload, ///< the bytes of a variable-length value, as the server keeps them
    text,    ///< the type's text form
};

/// How many bytes a number's form takes; 0 for the forms that are no numbers.
std::size_t word_width(FieldForm form);

struct ShapeColumn {
    std::string name;
    std::string type; ///< schema-qualified and with its modifier, as format_type() writes it with an empty search_path
    FieldForm form = FieldForm::text;
    bool operator==(const ShapeColumn &) const = default;
};

/// What the stored rows of one table look like. Names only, no OIDs: it outlives dump, restore and upgrade.
struct Shape {
    std::string schema;
    std::string table;
    std::string encoding;
    std::vector<ShapeColumn> columns;
    std::vector<std::size_t> key;       ///< indexes into columns, in the key's order
    std::vector<std::string> generated; ///< columns that are computed, and so not stored
    std::int64_t renames = 0;           ///< the last renames of columns (by number) that the names here are after
    std::int64_t label_renames = 0;     ///< the last renames of enum labels that the rows' values are after
    bool operator==(const Shape &) const = default;

    /// Write the shape as text: a line each for version, byte order, encoding, table, renames, columns and key,
    /// tab-separated.
    std::string to_text() const;
    /// Read it back; throws Error (XX001) where the text is damaged, 0A000 where it was made for another machine.
    static Shape from_text(std::string_view text);
};

} // namespace snapback
