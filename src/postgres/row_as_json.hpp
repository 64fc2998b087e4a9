#pragma once
#include <functional>
#include <string>
#include <vector>

#include "postgres/value.hpp"

namespace snapback {

/// Shows rows as jsonb objects, whatever their values are.
///
/// A value becomes what to_jsonb() makes of it. One that jsonb cannot hold (json with \u0000, a number that is too
/// large) becomes a string of its text. Where a row takes more than its room, values longer than their share of it are
/// cut to the first 1000 bytes of their text, with length and SHA-256 behind. To be used as the owner of the values:
/// casts to json and output functions may be anybody's.
class RowAsJson {
public:
    struct Column {
        std::string name;
        Oid type;
    };
    /// All columns have the same share of `room`, which is in bytes.
    explicit RowAsJson(std::vector<Column> columns, std::size_t room = 32 * 1024 * 1024);
    ~RowAsJson();
    RowAsJson(const RowAsJson &) = delete;
    RowAsJson &operator=(const RowAsJson &) = delete;

    /// The columns that are chosen, as one object. It lives until forget().
    Value of(const Datum *values, const bool *nulls, const std::function<bool(std::size_t)> &chosen = nullptr);
    /// Free what was made so far.
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
