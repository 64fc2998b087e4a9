#include "core/sortable_key.hpp"

#include "core/bytes.hpp"
#include "core/chunk.hpp"

namespace snapback {

std::vector<KeyPart> key_order(const Shape &shape) {
    std::vector<KeyPart> parts;
    for (std::size_t index : shape.key) {
        const ShapeColumn &column = shape.columns[index];
        bool is_signed = column.type != "boolean" && column.type != "\"char\"" && column.type != "pg_lsn";
        parts.push_back({index, column.form, is_signed});
    }
    return parts;
}

void append_sortable(std::string &key, const KeyPart &part, std::string_view value) {
    if (int width = static_cast<int>(word_width(part.form))) {
        std::uint64_t sign = part.is_signed ? std::uint64_t{1} << (width * 8 - 1) : 0;
        append_big_endian(key, little_endian(value) ^ sign, width);
    } else if (part.form == FieldForm::fixed16) {
        key.append(value);
    } else {
        // A zero byte is encoded as 00 ff and the end as 00 00, so that a value sorts before its extensions.
        for (char c : value) {
            key.push_back(c);
            if (c == '\0')
                key.push_back('\xff');
        }
        key.append(2, '\0');
    }
}

void KeyReader::read(std::string_view row, std::string &key) {
    read_fields(row, columns_, fields_);
    key.clear();
    for (const KeyPart &part : key_)
        append_sortable(key, part, fields_[part.column].value_or(std::string_view()));
}

} // namespace snapback
