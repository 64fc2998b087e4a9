#include "core/recent.hpp"

#include <gtest/gtest.h>

namespace {

struct Entry {
    int key = 0;
    int value = 0;
};

class RecentTest : public testing::Test {
protected:
    Entry *find(std::uint64_t hash, int key) {
        return recent.find(hash, [&](const Entry &entry) { return entry.key == key; });
    }
    snapback::Recent<Entry, 4> recent;
};

TEST_F(RecentTest, FindsNothingBeforeItIsPutThere) {
    EXPECT_EQ(find(1, 7), nullptr);
}

TEST_F(RecentTest, FindsWhatWasPutThere) {
    recent.replace(1) = {7, 70};
    ASSERT_NE(find(1, 7), nullptr);
    EXPECT_EQ(find(1, 7)->value, 70);
    EXPECT_EQ(find(2, 7), nullptr);
}

TEST_F(RecentTest, KeepsTheLastTwoOfASet) {
    recent.replace(1) = {7, 70};
    recent.replace(5) = {8, 80};
    EXPECT_NE(find(1, 7), nullptr);
    EXPECT_NE(find(1, 8), nullptr);
    recent.replace(9) = {9, 90};
    EXPECT_EQ(find(1, 7), nullptr);
    EXPECT_NE(find(1, 8), nullptr);
    EXPECT_NE(find(1, 9), nullptr);
    EXPECT_EQ(find(2, 9), nullptr);
}

} // namespace
