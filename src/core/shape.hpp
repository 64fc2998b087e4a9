#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace snapback {

/// How stored rows represent a column's values (docs/format.md).
enum class FieldForm {
    word1,   ///< a number of one byte
    word2,   ///< a number of two bytes, little-endian
    word4,   ///< a number of four bytes, little-endian
    word8,   ///< a number of eight bytes, little-endian
    fixed16, ///< sixteen bytes unchanged (uuid)
    payload, ///< the server's bytes of a variable-length value
    text,    ///< the type's text form
};

/// Size in bytes of a numeric form; 0 for the other forms.
std::size_t word_width(FieldForm form);

struct ShapeColumn {
    std::string name;
    std::string type; ///< as format_type() prints it with an empty search_path: with schema and modifier
    FieldForm form = FieldForm::text;
    bool operator==(const ShapeColumn &) const = default;
};

/// Layout of the stored rows of one table. It contains names, not OIDs, so that it survives dump, restore, and upgrade.
struct Shape {
    std::string schema;
    std::string table;
    std::string encoding;
    std::vector<ShapeColumn> columns;
    std::vector<std::size_t> key;       ///< indexes into columns, in the key's order
    std::vector<std::string> generated; ///< generated columns, which are not stored
    std::int64_t renames = 0;           ///< number of the last column renames that these names include
    std::int64_t label_renames = 0;     ///< number of the last enum label renames that the values include
    bool operator==(const Shape &) const = default;

    /// Write the shape as text: tab-separated lines for version, byte order, encoding, table, renames, columns, and
    /// key.
    std::string to_text() const;
    /// Parse the text. Throws Error: XX001 when it is corrupted, 0A000 when it is from an incompatible machine.
    static Shape from_text(std::string_view text);
};

} // namespace snapback
