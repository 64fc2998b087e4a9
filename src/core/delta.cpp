#include "core/delta.hpp"

#include "core/bytes.hpp"
#include "core/chunk.hpp"
#include "core/error.hpp"

namespace snapback {

namespace {

constexpr char delta_version = 2; // chunks have 1

} // namespace

void DeltaWriter::begin(std::int32_t table) {
    close_table();
    table_ = table;
}

void DeltaWriter::add(const Change &change) {
    append_varint(changes_, change.key.size());
    changes_.append(change.key);
    append_varint(changes_, change.row.size());
    append_slices(changes_, change.row);
    count_++;
    if (delta_.size() + changes_.size() >= target) {
        close_table();
        close_delta();
    }
}

void DeltaWriter::close_table() {
    if (count_ == 0)
        return;
    if (delta_.empty())
        delta_.push_back(delta_version);
    append_varint(delta_, static_cast<std::uint64_t>(table_));
    append_varint(delta_, count_);
    append_slices(delta_, changes_);
    changes_.clear();
    count_ = 0;
}

void DeltaWriter::close_delta() {
    if (!delta_.empty())
        deltas_.push_back(std::move(delta_));
    delta_.clear();
}

std::vector<std::string> DeltaWriter::finish() {
    close_table();
    close_delta();
    return std::move(deltas_);
}

void for_each_change(std::string_view delta,
                     const std::function<void(std::int32_t table, const Change &change)> &visit) {
    ByteReader reader(delta);
    if (reader.take(1)[0] != delta_version)
        throw Error(sqlstate::data_corrupted, "unknown delta version");
    while (!reader.at_end()) {
        auto table = static_cast<std::int32_t>(reader.varint());
        std::uint64_t changes = reader.varint();
        for (std::uint64_t i = 0; i < changes; i++) {
            std::string_view key = reader.take(reader.varint());
            visit(table, {key, reader.take(reader.varint())});
        }
    }
}

std::string apply_changes(std::string_view chunk, KeyReader &keys, std::span<const Change> changes) {
    std::string rows;
    std::uint32_t count = 0;
    auto append = [&](std::string_view row) {
        append_varint(rows, row.size());
        append_slices(rows, row);
        count++;
    };
    auto change = changes.begin();
    auto append_change = [&] {
        if (!change->row.empty())
            append(change->row);
        ++change;
    };
    std::string key;
    if (!chunk.empty())
        for_each_row(chunk, [&](std::string_view row) {
            keys.read(row, key);
            while (change != changes.end() && change->key < key)
                append_change();
            if (change != changes.end() && change->key == key)
                append_change();
            else
                append(row);
        });
    while (change != changes.end())
        append_change();
    return chunk_of(count, rows);
}

} // namespace snapback
