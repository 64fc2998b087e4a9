#include "core/row_sorter.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

using namespace snapback;

namespace {

class MemoryFile final : public SpillFile {
public:
    explicit MemoryFile(int &opened) { opened++; }
    void append(std::string_view bytes) override { content_.append(bytes); }
    void read(std::uint64_t offset, char *into, std::size_t length) override { content_.copy(into, length, offset); }

private:
    std::string content_;
};

/// Sort random rows of some groups within this memory; return the number of spill files.
int sorts_within(std::size_t memory, int rows) {
    int opened = 0;
    RowSorter sorter(memory, [&] { return std::make_unique<MemoryFile>(opened); });
    std::mt19937 random(rows);
    std::map<std::pair<std::uint32_t, std::string>, std::string> expected;
    for (int i = 0; i < rows; i++) {
        std::uint32_t group = random() % 7;
        std::string key;
        for (std::size_t n = random() % 20; n > 0; n--)
            key.push_back(static_cast<char>(random() % 3 ? random() % 256 : 0));
        std::string row(random() % 300, static_cast<char>(i));
        if (expected.emplace(std::pair(group, key), row).second)
            sorter.add(group, key, row);
    }
    auto next = expected.begin();
    sorter.drain([&](std::uint32_t group, std::string_view key, std::string_view row) {
        ASSERT_NE(next, expected.end());
        EXPECT_EQ(next->first.first, group);
        EXPECT_EQ(next->first.second, key);
        EXPECT_EQ(next->second, row);
        ++next;
    });
    EXPECT_EQ(next, expected.end());
    return opened;
}

} // namespace

TEST(RowSorter, SortsInMemory) {
    EXPECT_EQ(sorts_within(std::size_t{1} << 24, 5000), 0);
}
TEST(RowSorter, SortsThroughAFile) {
    EXPECT_EQ(sorts_within(100'000, 5000), 1);
}
TEST(RowSorter, SortsRunsOfOneRow) {
    EXPECT_EQ(sorts_within(1, 300), 1);
}
TEST(RowSorter, SortsNothing) {
    EXPECT_EQ(sorts_within(1000, 0), 0);
}

TEST(RowSorter, IsEmptyOnceDrained) {
    int opened = 0;
    RowSorter sorter(64, [&] { return std::make_unique<MemoryFile>(opened); });
    for (int round = 0; round < 2; round++) {
        sorter.add(1, "b", "2");
        sorter.add(1, "a", "1");
        std::string rows;
        sorter.drain([&](std::uint32_t, std::string_view, std::string_view row) { rows += row; });
        EXPECT_EQ(rows, "12");
    }
}
