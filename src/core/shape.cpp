#include "core/shape.hpp"

#include <array>
#include <bit>
#include <charconv>

#include "core/error.hpp"

namespace snapback {

namespace {

constexpr std::string_view version = "1";
constexpr std::string_view byte_order = std::endian::native == std::endian::little ? "little" : "big";
constexpr std::array<std::string_view, 7> form_names = {"word1",   "word2",   "word4", "word8",
                                                        "fixed16", "payload", "text"};

[[noreturn]] void fail_damaged(const std::string &what) {
    throw Error(sqlstate::data_corrupted, "stored table description is corrupted: " + what);
}

/// Escape tabs, newlines and backslashes.
std::string escape(std::string_view text) {
    std::string out;
    for (char c : text) {
        if (c == '\t' || c == '\n' || c == '\\') {
            out.push_back('\\');
            out.push_back(c == '\t' ? 't' : c == '\n' ? 'n' : '\\');
        } else {
            out.push_back(c);
        }
    }
    return out;
}

std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); i++) {
        if (text[i] != '\\') {
            out.push_back(text[i]);
            continue;
        }
        if (++i == text.size())
            fail_damaged("a lone backslash");
        out.push_back(text[i] == 't' ? '\t' : text[i] == 'n' ? '\n' : text[i]);
    }
    return out;
}

/// Split at a separator.
std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (std::size_t start = 0;;) {
        std::size_t end = text.find(separator, start);
        parts.push_back(text.substr(start, end - start));
        if (end == std::string_view::npos)
            return parts;
        start = end + 1;
    }
}

FieldForm form_named(std::string_view name) {
    for (std::size_t i = 0; i < form_names.size(); i++)
        if (form_names[i] == name)
            return static_cast<FieldForm>(i);
    fail_damaged("unknown form " + std::string(name));
}

/// Parse a field that consists of a number.
template <class Number> Number whole_number(std::string_view digits, const char *what) {
    Number number = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || end != digits.data() + digits.size())
        fail_damaged(what + (" " + std::string(digits)));
    return number;
}

std::size_t column_index(std::string_view digits, std::size_t columns) {
    auto index = whole_number<std::size_t>(digits, "key column");
    if (index >= columns)
        fail_damaged("key column " + std::string(digits));
    return index;
}

} // namespace

std::size_t word_width(FieldForm form) {
    switch (form) {
    case FieldForm::word1:
        return 1;
    case FieldForm::word2:
        return 2;
    case FieldForm::word4:
        return 4;
    case FieldForm::word8:
        return 8;
    default:
        return 0;
    }
}

std::string Shape::to_text() const {
    std::string out;
    out.append("version\t").append(version).append("\n");
    out.append("byte order\t").append(byte_order).append("\n");
    out.append("encoding\t").append(escape(encoding)).append("\n");
    out.append("table\t").append(escape(schema)).append("\t").append(escape(table)).append("\n");
    if (renames > 0)
        out.append("renames\t").append(std::to_string(renames)).append("\n");
    if (label_renames > 0)
        out.append("label renames\t").append(std::to_string(label_renames)).append("\n");
    for (const ShapeColumn &column : columns)
        out.append("column\t")
            .append(escape(column.name))
            .append("\t")
            .append(escape(column.type))
            .append("\t")
            .append(form_names[static_cast<std::size_t>(column.form)])
            .append("\n");
    for (const std::string &name : generated)
        out.append("generated\t").append(escape(name)).append("\n");
    out.append("key");
    for (std::size_t index : key)
        out.append("\t").append(std::to_string(index));
    out.append("\n");
    return out;
}

Shape Shape::from_text(std::string_view text) {
    Shape shape;
    bool complete = false;
    for (std::string_view line : split(text, '\n')) {
        if (line.empty())
            continue;
        std::vector<std::string_view> fields = split(line, '\t');
        std::string_view kind = fields[0];
        if (kind == "version" && fields.size() == 2) {
            if (fields[1] != version)
                throw Error(sqlstate::feature_not_supported,
                            "snapshot format " + std::string(fields[1]) + " is not known to this version");
        } else if (kind == "byte order" && fields.size() == 2) {
            if (fields[1] != byte_order)
                throw Error(sqlstate::feature_not_supported,
                            "the snapshot was taken on a " + std::string(fields[1]) + "-endian machine");
        } else if (kind == "encoding" && fields.size() == 2) {
            shape.encoding = unescape(fields[1]);
        } else if (kind == "table" && fields.size() == 3) {
            shape.schema = unescape(fields[1]);
            shape.table = unescape(fields[2]);
        } else if (kind == "renames" && fields.size() == 2) {
            shape.renames = whole_number<std::int64_t>(fields[1], "renames");
        } else if (kind == "label renames" && fields.size() == 2) {
            shape.label_renames = whole_number<std::int64_t>(fields[1], "label renames");
        } else if (kind == "generated" && fields.size() == 2) {
            shape.generated.push_back(unescape(fields[1]));
        } else if (kind == "column" && fields.size() == 4) {
            shape.columns.push_back({unescape(fields[1]), unescape(fields[2]), form_named(fields[3])});
        } else if (kind == "key") {
            for (std::size_t i = 1; i < fields.size(); i++)
                shape.key.push_back(column_index(fields[i], shape.columns.size()));
            complete = true;
        } else {
            fail_damaged("line " + std::string(kind));
        }
    }
    if (!complete || shape.columns.empty() || shape.table.empty())
        fail_damaged("it is not complete");
    return shape;
}

} // namespace snapback
