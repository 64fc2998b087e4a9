#include "core/row_merge.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "core/chunk.hpp"

using namespace snapback;

namespace {

using Table = std::map<std::uint32_t, std::string>; // an unsigned key, and the rest of the row

std::string row_of(std::uint32_t key, const std::string &rest) {
    std::string bytes;
    append_little_endian(bytes, key, 4);
    RowWriter writer;
    writer.field(bytes);
    writer.field(rest);
    return std::string(writer.bytes());
}

std::string sortable(std::uint32_t key) {
    std::string bytes;
    append_big_endian(bytes, key, 4);
    return bytes;
}

struct Chunks {
    explicit Chunks(const Table &table) {
        ChunkCutter cutter([this](std::string &&content, std::uint32_t) {
            digests.push_back(sha256(content));
            contents[digests.back()] = std::move(content);
        });
        for (const auto &[key, rest] : table)
            cutter.add(sortable(key), row_of(key, rest));
        cutter.finish();
    }
    std::vector<Digest> digests;
    std::map<Digest, std::string> contents;
};

/// The rows that only the first one has.
std::multiset<std::string> rows_only_in(const Table &first, const Table &second) {
    std::multiset<std::string> rows;
    for (const auto &[key, rest] : first)
        if (auto other = second.find(key); other == second.end() || other->second != rest)
            rows.insert(row_of(key, rest));
    return rows;
}

/// The number of keys in both with different rows.
std::size_t changed_rows(const Table &first, const Table &second) {
    std::size_t rows = 0;
    for (const auto &[key, rest] : first)
        if (auto other = second.find(key); other != second.end() && other->second != rest)
            rows++;
    return rows;
}

/// Merge two tables and expect exactly the differences; return the number of chunks whose content was fetched.
std::size_t merges(const Table &then, const Table &now) {
    Chunks chunks_then(then);
    Chunks chunks_now(now);
    std::size_t asked = 0;
    std::multiset<std::string> only_then;
    std::multiset<std::string> only_now;
    RowMerge merge(
        {{chunks_then.digests.begin(), chunks_then.digests.end()},
         [&](std::size_t chunk) {
             asked++;
             return chunks_then.contents.at(chunks_then.digests.at(chunk));
         }},
        KeyReader(2, {{0, FieldForm::word4, false}}), [&](std::string_view row) { only_then.insert(std::string(row)); },
        [&](std::string_view row) { only_now.insert(std::string(row)); });
    for (const Digest &digest : chunks_now.digests)
        merge.add(digest, [&] {
            asked++;
            return chunks_now.contents.at(digest);
        });
    merge.finish();
    EXPECT_EQ(only_then, rows_only_in(then, now));
    EXPECT_EQ(only_now, rows_only_in(now, then));
    EXPECT_EQ(merge.pairs(), changed_rows(then, now));
    return asked;
}

Table random_table(std::mt19937 &random, std::size_t rows) {
    Table table;
    while (table.size() < rows)
        table[random() % 1'000'000] = std::string(random() % 400, static_cast<char>('a' + random() % 26));
    return table;
}

/// Change, delete and add about this number of rows each.
Table damaged(Table table, std::mt19937 &random, std::size_t rows) {
    std::vector<std::uint32_t> keys;
    for (const auto &[key, rest] : table)
        keys.push_back(key);
    for (std::size_t i = 0; i < rows && !keys.empty(); i++) {
        table[keys[random() % keys.size()]] += "!";
        table.erase(keys[random() % keys.size()]);
        table[random() % 1'000'000] = "new";
    }
    return table;
}

} // namespace

TEST(RowMerge, HandsOnWhatDiffers) {
    std::mt19937 random(1);
    for (std::size_t size : {0, 1, 10, 1000, 20'000})
        for (std::size_t changes : {0, 1, 7, 300}) {
            Table then = random_table(random, size);
            merges(then, damaged(then, random, changes));
        }
}

TEST(RowMerge, AsksForNothingWhereNothingDiffers) {
    std::mt19937 random(2);
    Table table = random_table(random, 5000);
    EXPECT_EQ(merges(table, table), 0);
}

TEST(RowMerge, LooksIntoTheChunksAroundAChangeOnly) {
    std::mt19937 random(3);
    Table then = random_table(random, 20'000);
    EXPECT_LE(merges(then, damaged(then, random, 1)), 24);
}

TEST(RowMerge, HandsOnAllOfATableThatTheOtherSideLacks) {
    std::mt19937 random(4);
    Table table = random_table(random, 3000);
    merges(table, {});
    merges({}, table);
}

TEST(RowMerge, MergesTablesThatShareNothing) {
    std::mt19937 random(5);
    merges(random_table(random, 3000), random_table(random, 2000));
}

TEST(RowMerge, PassesAChunkThatItHasOpenedForTheRowBefore) {
    Table then;
    for (std::uint32_t key = 0; key < 4000; key++)
        then[key * 2] = std::string(100, 'x');
    std::string first = Chunks(then).contents.at(Chunks(then).digests.at(0));
    std::uint32_t rows = 0;
    for_each_row(first, [&](std::string_view) { rows++; });
    Table now = then;
    now[rows * 2 - 1] = std::string(70'000, 'y'); // a separate chunk between the first and the second
    EXPECT_EQ(merges(then, now), 2);
}

TEST(RowMerge, ComparesAChunkThatComesTwice) {
    Chunks chunks({{1, "one"}, {2, "two"}});
    const Digest &digest = chunks.digests.at(0);
    auto content = [&] { return chunks.contents.at(digest); };
    int only_now = 0;
    RowMerge merge(
        {{digest}, [&](std::size_t) { return content(); }}, KeyReader(2, {{0, FieldForm::word4, false}}),
        [](std::string_view) { FAIL(); }, [&](std::string_view) { only_now++; });
    merge.add(digest, content);
    merge.add(digest, content);
    merge.finish();
    EXPECT_EQ(only_now, 2);
}
