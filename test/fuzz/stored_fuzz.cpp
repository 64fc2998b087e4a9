// Any bytes of the store are either read as rows or rejected as corrupted.
#include <cstdlib>
#include <map>

#include "core/chunk.hpp"
#include "core/compression.hpp"
#include "core/delta.hpp"
#include "core/row_merge.hpp"
#include "core/shape.hpp"

using namespace snapback;

namespace {

void require(bool truth) {
    if (!truth)
        std::abort();
}

/// Run a reader, which may only throw errors about corruption or another format.
template <class Read> void read(const Read &reader) {
    try {
        reader();
    } catch (const Error &error) {
        require(error.sqlstate == sqlstate::data_corrupted || error.sqlstate == sqlstate::feature_not_supported);
    }
}

std::vector<std::string> rows_of(std::string_view chunk) {
    std::vector<std::string> rows;
    for_each_row(chunk, [&](std::string_view row) { rows.emplace_back(row); });
    return rows;
}

/// A chunk without removed rows has the same rows, and without all of them it is empty.
void read_chunk(std::string_view chunk) {
    std::vector<std::string> rows = rows_of(chunk);
    ReducedChunk same = without_rows(chunk, [](std::size_t) { return false; });
    require(same.removed == 0 && (rows.empty() ? same.content.empty() : rows_of(same.content) == rows));
    ReducedChunk none = without_rows(chunk, [](std::size_t) { return true; });
    require(none.removed == rows.size() && none.content.empty());
    std::vector<std::optional<std::string_view>> fields;
    for (const std::string &row : rows)
        read([&] { read_fields(row, 3, fields); });
}

/// A delta that can be read can be written again, and applied to no rows.
void read_delta(std::string_view bytes) {
    DeltaWriter writer;
    std::map<std::int32_t, std::vector<Change>> changes;
    for_each_change(bytes, [&](std::int32_t table, const Change &change) { changes[table].push_back(change); });
    KeyReader keys(1, {{0, FieldForm::payload, false}});
    for (const auto &[table, list] : changes) {
        writer.begin(table);
        for (const Change &change : list)
            writer.add(change);
        for_each_row(apply_changes("", keys, list), [](std::string_view) {});
    }
    std::size_t count = 0;
    for (const std::string &delta : writer.finish())
        for_each_change(delta, [&](std::int32_t, const Change &) { count++; });
    for (const auto &[table, list] : changes)
        count -= list.size();
    require(count == 0);
}

void read_shape(std::string_view text) {
    Shape shape = Shape::from_text(text);
    require(Shape::from_text(shape.to_text()) == shape);
}

/// Rows that are on both sides are in neither list, and no row is lost: the reported rows and the equal ones
/// are all rows.
void merge(std::string_view then, std::string_view now) {
    std::size_t only_then = 0;
    std::size_t only_now = 0;
    RowMerge merge(
        {{sha256(then)}, [&](std::size_t) { return std::string(then); }},
        KeyReader(2, {{0, FieldForm::payload, false}, {1, FieldForm::word4, true}}),
        [&](std::string_view) { only_then++; }, [&](std::string_view) { only_now++; });
    merge.add(sha256(now), [&] { return std::string(now); });
    merge.finish();
    if (then != now)
        require(rows_of(then).size() + only_now == rows_of(now).size() + only_then);
    else
        require(only_then + only_now == 0);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t size) {
    std::string_view bytes(reinterpret_cast<const char *>(data), size);
    read([&] { read_chunk(bytes); });
    read([&] { read_delta(bytes); });
    read([&] { read_shape(bytes); });
    read([&] { Compressor().decompress(bytes); });
    read([&] { Compressor().decompress(seal(std::string(bytes))); });
    std::size_t half = size / 2;
    read([&] { merge(bytes.substr(0, half), bytes.substr(half)); });
    read([&] { merge(bytes, bytes); });
    return 0;
}
