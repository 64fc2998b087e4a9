#include "core/chunk.hpp"

#include <algorithm>
#include <limits>

namespace snapback {

namespace {

constexpr char chunk_version = 1;

/// Hash a key with FNV-1a and a finalizer that spreads every byte to the high bits. The hash decides only where chunks
/// end: chunks cut by another hash remain readable.
std::uint64_t key_hash(std::string_view key) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (char c : key)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93ULL;
    return hash ^ hash >> 32;
}

/// Whether a chunk ends after this row. The probability is row size / target.
bool is_cut(std::string_view key, std::size_t row_size) {
    if (row_size >= ChunkCutter::target)
        return true;
    return key_hash(key) < std::numeric_limits<std::uint64_t>::max() / ChunkCutter::target * row_size;
}

/// Build a chunk of one row.
std::string chunk_of_row(std::string_view row) {
    std::string content;
    content.reserve(row.size() + 16);
    content.push_back(chunk_version);
    append_varint(content, 1);
    append_varint(content, row.size());
    append_slices(content, row);
    return content;
}

/// The shortest prefix of a key that is greater than the key before it.
std::string_view separator(std::string_view before, std::string_view key) {
    std::size_t same = std::mismatch(before.begin(), before.end(), key.begin(), key.end()).first - before.begin();
    return key.substr(0, same + 1);
}

} // namespace

std::string chunk_of(std::uint32_t count, std::string_view rows) {
    std::string content;
    content.reserve(rows.size() + 8);
    content.push_back(chunk_version);
    append_varint(content, count);
    append_slices(content, rows);
    return content;
}

void read_fields(std::string_view row, std::size_t count, std::vector<std::optional<std::string_view>> &fields) {
    fields.clear();
    ByteReader reader(row);
    for (std::size_t i = 0; i < count; i++) {
        std::uint64_t length = reader.varint();
        if (length == 0)
            fields.emplace_back(std::nullopt);
        else
            fields.emplace_back(reader.take(length - 1));
    }
    if (!reader.at_end())
        throw Error(sqlstate::data_corrupted, "stored row has more fields than its table has columns");
}

void ChunkCutter::add(std::string_view key, std::string_view row) {
    if (!rows_.empty() && rows_.size() + row.size() > 4 * target)
        close();
    if (rows_.empty())
        bound_ = last_key_.empty() ? std::string_view() : separator(last_key_, key);
    last_key_ = key;
    if (rows_.empty() && row.size() >= target)
        return sink_(chunk_of_row(row), 1); // a chunk of its own, without buffering a copy
    append_varint(rows_, row.size());
    append_slices(rows_, row);
    count_++;
    if (rows_.size() >= target / 4 && is_cut(key, row.size()))
        close();
}

void ChunkCutter::close() {
    sink_(chunk_of(count_, rows_), count_);
    rows_.clear();
    count_ = 0;
}

void ChunkCutter::finish() {
    if (count_ > 0)
        close();
}

void for_each_row(std::string_view chunk, const std::function<void(std::string_view row)> &visit) {
    ByteReader reader(chunk);
    if (reader.take(1)[0] != chunk_version)
        throw Error(sqlstate::data_corrupted, "unknown chunk version");
    std::uint64_t rows = reader.varint();
    for (std::uint64_t i = 0; i < rows; i++)
        visit(reader.take(reader.varint()));
    if (!reader.at_end())
        throw Error(sqlstate::data_corrupted, "chunk has extra bytes after its last row");
}

ReducedChunk without_rows(std::string_view chunk, const std::function<bool(std::size_t row)> &is_removed) {
    ReducedChunk reduced;
    std::string rows;
    std::uint32_t left = 0;
    for_each_row(chunk, [&](std::string_view row) {
        if (is_removed(left + reduced.removed)) {
            reduced.removed++;
            return;
        }
        append_varint(rows, row.size());
        append_slices(rows, row);
        left++;
    });
    if (left > 0)
        reduced.content = chunk_of(left, rows);
    return reduced;
}

} // namespace snapback
