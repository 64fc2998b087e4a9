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

/// Builds the bytes of one row: each field in column order, NULL as a zero, else its length plus one and its bytes.
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

/// Read one row into its fields; throws Error (XX001) unless there are exactly this many.
void read_fields(std::string_view row, std::size_t count, std::vector<std::optional<std::string_view>> &fields);

/// Cuts a table's rows, which come in key order, into chunks.
///
/// A chunk ends at a row whose key hashes below a threshold proportional to the row's size, so that the cuts are made
/// by content: a row inserted or deleted changes the chunk it falls in and leaves the others alone (content-defined
/// chunking as in LBFS, Muthitacharoen et al. 2001, with rows in place of byte windows). Chunks average `target` bytes
/// and stay between a quarter and four times of it, but for single rows that are larger.
class ChunkCutter {
public:
    static constexpr std::size_t target = 64 * 1024;
    using Sink = std::function<void(std::string &&content, std::uint32_t rows)>;

    explicit ChunkCutter(Sink sink) : sink_(std::move(sink)) {}
    /// Add the next row, with its key in the sortable form that ordered it.
    void add(std::string_view key, std::string_view row);
    /// Close the last chunk.
    void finish();

private:
    void close();
    Sink sink_;
    std::string rows_;
    std::uint32_t count_ = 0;
};

/// Visits the rows of a chunk in order; throws Error (XX001) where its bytes do not add up.
void for_each_row(std::string_view chunk, const std::function<void(std::string_view row)> &visit);

/// A chunk less some of its rows, which are counted from 0; with no row left the content is empty.
struct ReducedChunk {
    std::string content;
    std::uint32_t struck = 0;
};
ReducedChunk without_rows(std::string_view chunk, const std::function<bool(std::size_t row)> &is_struck);

} // namespace snapback
