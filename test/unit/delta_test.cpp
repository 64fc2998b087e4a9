// Deltas: written, read, and applied to chunks.
#include "core/delta.hpp"

#include <gtest/gtest.h>

#include "core/bytes.hpp"
#include "core/chunk.hpp"

using namespace snapback;

namespace {

KeyReader numbers() {
    return KeyReader(2, {{0, FieldForm::word4, false}});
}

std::string row(std::uint32_t key, std::string_view text) {
    std::string number;
    append_little_endian(number, key, 4);
    RowWriter writer;
    writer.field(number);
    writer.field(text);
    return std::string(writer.bytes());
}

std::string sortable(std::uint32_t key) {
    std::string bytes;
    append_big_endian(bytes, key, 4);
    return bytes;
}

std::string chunk(const std::vector<std::string> &rows) {
    std::string content;
    for (const std::string &row : rows) {
        append_varint(content, row.size());
        content += row;
    }
    return chunk_of(static_cast<std::uint32_t>(rows.size()), content);
}

struct Seen {
    std::int32_t table;
    std::string key, row;
    bool operator==(const Seen &) const = default;
};

std::vector<Seen> read(const std::vector<std::string> &deltas) {
    std::vector<Seen> seen;
    for (const std::string &delta : deltas)
        for_each_change(delta, [&](std::int32_t table, const Change &change) {
            seen.push_back({table, std::string(change.key), std::string(change.row)});
        });
    return seen;
}

} // namespace

TEST(Delta, IsReadAsItWasWritten) {
    DeltaWriter writer;
    writer.begin(7);
    writer.add({"a", "row"});
    writer.add({"b", ""});
    writer.begin(8);
    writer.begin(300);
    writer.add({"", "x"});
    EXPECT_EQ(read(writer.finish()), (std::vector<Seen>{{7, "a", "row"}, {7, "b", ""}, {300, "", "x"}}));
    EXPECT_TRUE(writer.finish().empty());
}

TEST(Delta, ClosesAtItsSize) {
    DeltaWriter writer;
    writer.begin(1);
    std::string large(DeltaWriter::target / 4, 'x');
    for (char key = 'a'; key < 'k'; key++)
        writer.add({std::string_view(&key, 1), large});
    std::vector<std::string> deltas = writer.finish();
    EXPECT_EQ(deltas.size(), 3);
    EXPECT_EQ(read(deltas).size(), 10);
    for (const std::string &delta : deltas)
        EXPECT_LE(delta.size(), DeltaWriter::target * 5 / 4);
}

TEST(Delta, RefusesWhatIsMalformed) {
    DeltaWriter writer;
    writer.begin(1);
    writer.add({"key", "row"});
    std::string delta = writer.finish().at(0);
    EXPECT_TRUE(read({delta.substr(0, 1)}).empty()); // no table
    EXPECT_THROW(read({""}), Error);
    for (std::size_t size = 2; size < delta.size(); size++)
        EXPECT_THROW(read({delta.substr(0, size)}), Error) << size;
    delta[0] = 1;
    EXPECT_THROW(read({delta}), Error);
}

TEST(Delta, ChangesRowsInTheirOrder) {
    std::string first = row(0, "first"), second = row(2, "second"), third = row(300, "third"), last = row(301, "last");
    std::string keys[] = {sortable(0), sortable(1), sortable(2), sortable(5), sortable(300), sortable(400)};
    std::string inserted = row(1, "inserted"), changed = row(300, "changed"), appended = row(400, "appended");
    KeyReader reader = numbers();
    std::vector<Change> changes{
        {keys[0], ""}, {keys[1], inserted}, {keys[3], ""}, {keys[4], changed}, {keys[5], appended}};
    EXPECT_EQ(apply_changes(chunk({first, second, third, last}), reader, changes),
              chunk({inserted, second, changed, last, appended}));
    EXPECT_EQ(apply_changes("", reader, changes), chunk({inserted, changed, appended}));
    EXPECT_EQ(apply_changes(chunk({first}), reader, std::vector<Change>{{keys[0], ""}}), chunk({}));
    EXPECT_EQ(apply_changes(chunk({first, last}), reader, {}), chunk({first, last}));
}

TEST(ChunkCutter, BoundsItsChunks) {
    std::vector<std::string> bounds, firsts, lasts;
    ChunkCutter cutter([&](std::string &&content, std::uint32_t) {
        KeyReader reader = numbers();
        std::vector<std::string> keys;
        for_each_row(content, [&](std::string_view row) { keys.push_back(reader.key_of(row)); });
        firsts.push_back(keys.front());
        lasts.push_back(keys.back());
        bounds.push_back(cutter.bound());
    });
    for (std::uint32_t i = 0; i < 3000; i++)
        cutter.add(sortable(i * 7), row(i * 7, std::string(i % 100 == 7 ? ChunkCutter::target : 100, 'x')));
    cutter.finish();
    ASSERT_GT(bounds.size(), 10);
    EXPECT_EQ(bounds[0], "");
    for (std::size_t i = 1; i < bounds.size(); i++) {
        EXPECT_GT(bounds[i], lasts[i - 1]);
        EXPECT_LE(bounds[i], firsts[i]);
    }
}
