#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"
#include "core/slices.hpp"

namespace snapback {

/// Builds the bytes of one row. Each field, in column order, is its length plus one and its bytes; NULL is a zero.
class RowWriter {
public:
    void clear() { bytes_.clear(); }
    void null() { bytes_.push_back('\0'); }
    void field(std::string_view value) {
        append_varint(bytes_, value.size() + 1);
        append_slices(bytes_, value);
    }
    std::string_view bytes() const { return bytes_; }

private:
    std::string bytes_;
};

/// Read the fields of one row. Throws Error (XX001) unless the row has exactly `count` fields.
void read_fields(std::string_view row, std::size_t count, std::vector<std::optional<std::string_view>> &fields);

/// Cuts the rows of a table, sorted by key, into chunks.
///
/// A chunk ends at a row whose key hash is below a threshold proportional to the row size. The content thus determines
/// the cuts: an inserted or deleted row changes only its own chunk (content-defined chunking as in LBFS, Muthitacharoen
/// et al. 2001, with rows in place of byte windows). Chunks average `target` bytes and have between a quarter and four
/// times that size, except for single larger rows.
class ChunkCutter {
public:
    static constexpr std::size_t target = 64 * 1024;
    using Sink = std::function<void(std::string &&content, std::uint32_t rows)>;

    explicit ChunkCutter(Sink sink) : sink_(std::move(sink)) {}
    /// Add the next row. `key` is its sort key in sortable form.
    void add(std::string_view key, std::string_view row);
    /// Close the last chunk.
    void finish();
    /// For the chunk that the sink receives: the shortest key that is greater than those of all earlier chunks and not
    /// greater than those of this one. Empty for the first chunk.
    const std::string &bound() const { return bound_; }

private:
    void close();
    Sink sink_;
    std::string rows_;
    std::uint32_t count_ = 0;
    std::string last_key_;
    std::string bound_;
};

/// Build a chunk of rows, each preceded by its length.
std::string chunk_of(std::uint32_t count, std::string_view rows);

/// Visit the rows of a chunk in order. Throws Error (XX001) when the chunk is malformed.
void for_each_row(std::string_view chunk, const std::function<void(std::string_view row)> &visit);

/// A chunk without some of its rows, numbered from 0. The content is empty when no row remains.
struct ReducedChunk {
    std::string content;
    std::uint32_t removed = 0;
};
ReducedChunk without_rows(std::string_view chunk, const std::function<bool(std::size_t row)> &is_removed);

} // namespace snapback
