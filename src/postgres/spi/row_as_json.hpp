#pragma once
#include <functional>
#include <string>
#include <vector>

#include "postgres/spi/value.hpp"

namespace snapback {

/// Converts rows of any types to jsonb objects.
///
/// Values are converted by to_jsonb(). A value that jsonb cannot represent (json with \u0000, a number that is too
/// large) becomes a string of its text. If a row exceeds its size limit, values longer than their share are truncated
/// to the first 1000 bytes of their text, followed by length and SHA-256. Use it as the owner of the values, because
/// casts to json and output functions may be user code.
class RowAsJson {
public:
    struct Column {
        std::string name;
        Oid type;
    };
    /// All columns have an equal share of `room`, in bytes.
    explicit RowAsJson(std::vector<Column> columns, std::size_t room = 32 * 1024 * 1024);
    ~RowAsJson();
    RowAsJson(const RowAsJson &) = delete;
    RowAsJson &operator=(const RowAsJson &) = delete;

    /// The chosen columns as one object, valid until forget().
    Value of(const Datum *values, const bool *nulls, const std::function<bool(std::size_t)> &chosen = nullptr);
    /// Free the objects made so far.
    void forget();

private:
    struct Field;

    std::size_t size_of(const Field &field, Datum value) const;
    Datum show_text(Field &field, Datum value, std::size_t most);
    Datum as_it_is(Field &field, Datum value);
    Datum compose(const std::vector<std::size_t> &fields);

    std::size_t room_;
    MemoryContext memory_;
    std::vector<Field> fields_;
    std::vector<Datum> shown_; // by column: jsonb
    std::vector<char> null_;
};

} // namespace snapback
