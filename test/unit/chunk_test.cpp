#include "core/chunk.hpp"

#include <gtest/gtest.h>

#include <set>

using namespace snapback;

namespace {

std::string key_of(std::uint64_t n) {
    std::string key;
    append_big_endian(key, n, 8);
    return key;
}

std::string row_of(std::uint64_t n, std::size_t size = 200) {
    RowWriter row;
    row.field(std::string(size, static_cast<char>('a' + n % 26)) + std::to_string(n));
    row.null();
    return std::string(row.bytes());
}

std::vector<std::string> cut(const std::vector<std::uint64_t> &numbers) {
    std::vector<std::string> chunks;
    ChunkCutter cutter([&](std::string &&content, std::uint32_t) { chunks.push_back(std::move(content)); });
    for (std::uint64_t n : numbers)
        cutter.add(key_of(n), row_of(n));
    cutter.finish();
    return chunks;
}

std::vector<std::uint64_t> numbers_to(std::uint64_t count) {
    std::vector<std::uint64_t> numbers;
    for (std::uint64_t n = 0; n < count; n++)
        numbers.push_back(n * 2);
    return numbers;
}

} // namespace

TEST(ChunkCutter, KeepsEveryRowInOrder) {
    std::vector<std::uint64_t> numbers = numbers_to(5000);
    std::size_t at = 0;
    for (const std::string &chunk : cut(numbers))
        for_each_row(chunk, [&](std::string_view row) { EXPECT_EQ(row, row_of(numbers[at++])); });
    EXPECT_EQ(at, numbers.size());
}

TEST(ChunkCutter, MakesNothingOfNothing) {
    EXPECT_TRUE(cut({}).empty());
}

TEST(ChunkCutter, StaysWithinItsSizes) {
    std::vector<std::string> chunks = cut(numbers_to(20000));
    ASSERT_GT(chunks.size(), 20U);
    for (std::size_t i = 0; i + 1 < chunks.size(); i++) {
        EXPECT_GE(chunks[i].size(), ChunkCutter::target / 4);
        EXPECT_LE(chunks[i].size(), 4 * ChunkCutter::target + 16);
    }
}

TEST(ChunkCutter, AnInsertedRowMovesNoOtherChunk) {
    std::vector<std::uint64_t> numbers = numbers_to(20000);
    std::vector<std::string> before = cut(numbers);
    numbers.insert(numbers.begin() + 10000, 20000 - 1);
    std::vector<std::string> after = cut(numbers);
    std::set<std::string> known(before.begin(), before.end());
    int fresh = 0;
    for (const std::string &chunk : after)
        fresh += known.contains(chunk) ? 0 : 1;
    EXPECT_GE(fresh, 1);
    EXPECT_LE(fresh, 3);
}

TEST(ChunkCutter, GivesAGiantRowAChunkThatHoldsIt) {
    std::vector<std::string> chunks;
    ChunkCutter cutter([&](std::string &&content, std::uint32_t) { chunks.push_back(std::move(content)); });
    cutter.add(key_of(1), row_of(1, 10'000'000));
    cutter.add(key_of(2), row_of(2));
    cutter.finish();
    ASSERT_EQ(chunks.size(), 2U);
    EXPECT_GT(chunks[0].size(), 10'000'000U);
}

TEST(Chunk, RefusesEveryTruncation) {
    std::string chunk = cut(numbers_to(20)).at(0);
    for (std::size_t length = 0; length < chunk.size(); length++)
        EXPECT_THROW(for_each_row(std::string_view(chunk).substr(0, length), [](std::string_view) {}), Error);
    EXPECT_THROW(for_each_row(chunk + "x", [](std::string_view) {}), Error);
}

TEST(Chunk, SurvivesEveryFlippedByte) {
    std::string chunk = cut(numbers_to(20)).at(0);
    std::vector<std::optional<std::string_view>> fields;
    for (std::size_t at = 0; at < chunk.size(); at++) {
        std::string damaged = chunk;
        damaged[at] = static_cast<char>(damaged[at] ^ 0xff);
        try {
            for_each_row(damaged, [&](std::string_view row) { read_fields(row, 2, fields); });
        } catch (const Error &error) {
            EXPECT_EQ(error.sqlstate, sqlstate::data_corrupted);
        }
    }
}

TEST(Row, ReadsFieldsAndNulls) {
    RowWriter row;
    row.field("");
    row.null();
    row.field("x");
    std::vector<std::optional<std::string_view>> fields;
    read_fields(row.bytes(), 3, fields);
    EXPECT_EQ(fields[0], "");
    EXPECT_FALSE(fields[1]);
    EXPECT_EQ(fields[2], "x");
    EXPECT_THROW(read_fields(row.bytes(), 2, fields), Error);
    EXPECT_THROW(read_fields(row.bytes(), 4, fields), Error);
}

TEST(Chunk, RemovesRows) {
    std::string chunk;
    ChunkCutter cutter([&](std::string &&content, std::uint32_t) { chunk = std::move(content); });
    for (const char *row : {"a", "bb", "ccc", "dddd"})
        cutter.add(row, row);
    cutter.finish();
    ReducedChunk reduced = without_rows(chunk, [](std::size_t row) { return row == 0 || row == 2; });
    EXPECT_EQ(reduced.removed, 2u);
    std::string left;
    for_each_row(reduced.content, [&](std::string_view row) { left += std::string(row) + "|"; });
    EXPECT_EQ(left, "bb|dddd|");
    ReducedChunk nothing = without_rows(chunk, [](std::size_t) { return true; });
    EXPECT_EQ(nothing.removed, 4u);
    EXPECT_TRUE(nothing.content.empty());
    EXPECT_EQ(without_rows(chunk, [](std::size_t) { return false; }).content, chunk);
}
