#include <gtest/gtest.h>

#include "core/renames.hpp"

using namespace snapback;

namespace {

using Names = std::vector<std::optional<std::string>>;

/// One column renamed, as number n.
Renames rename(std::int64_t n, const char *from, const char *to) {
    return {n, {from}, {to}};
}

} // namespace

TEST(Renames, LeaveOthersAlone) {
    EXPECT_EQ(follow_renames({"a", "b"}, 0, {}), (Names{"a", "b"}));
    EXPECT_EQ(follow_renames({"a", "b"}, 0, {rename(1, "c", "d")}), (Names{"a", "b"}));
}

TEST(Renames, MakeChains) {
    EXPECT_EQ(follow_renames({"a", "x"}, 0, {rename(1, "a", "b"), rename(2, "b", "c")}), (Names{"c", "x"}));
    EXPECT_EQ(follow_renames({"a"}, 0, {rename(1, "a", "b"), rename(2, "b", "a")}), (Names{"a"}));
}

TEST(Renames, CountFromWhereTheyWereSeen) {
    std::vector<Renames> renames{rename(3, "a", "b"), rename(7, "b", "a")};
    EXPECT_EQ(follow_renames({"b"}, 3, renames), (Names{"a"}));
    EXPECT_EQ(follow_renames({"a"}, 7, renames), (Names{"a"}));
}

TEST(Renames, SwapAtOnceAndOneAfterTheOther) {
    EXPECT_EQ(follow_renames({"a", "b"}, 0, {{1, {"a", "b"}, {"b", "a"}}}), (Names{"b", "a"}));
    EXPECT_EQ(follow_renames({"a", "b"}, 0, {rename(1, "a", "t"), rename(2, "b", "a"), rename(3, "t", "b")}),
              (Names{"b", "a"}));
}

TEST(Renames, ThatTakeANameLeaveItsOldBearerWithout) {
    EXPECT_EQ(follow_renames({"a", "b"}, 0, {rename(1, "b", "a")}), (Names{std::nullopt, "a"}));
    EXPECT_EQ(follow_renames({"a", "b"}, 0, {rename(1, "b", "a"), rename(2, "a", "c")}), (Names{std::nullopt, "c"}));
}
