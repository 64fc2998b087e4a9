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

namespace {

/// A column that was matched by its name or by renames.
ColumnNow found(const char *name) {
    return {name, false, std::nullopt, false};
}

/// A column whose name now belongs to another one; the former one receives the values too if it still exists.
ColumnNow replaced(const char *name, std::optional<std::string> former = std::nullopt) {
    bool too = former.has_value();
    return {name, true, std::move(former), too};
}

/// A column with a former name of another column of the snapshot, which receives nothing.
ColumnNow left_out(const char *former) {
    return {std::nullopt, false, former, false};
}

using Matched = std::vector<ColumnNow>;

const std::vector<Renames> swap_for_new{rename(1, "price", "price_old"), rename(2, "price_new", "price")};

} // namespace

TEST(Columns, ThatWereRenamedAreFollowed) {
    EXPECT_EQ(match_columns({"a", "b"}, 0, {rename(1, "a", "c")}, {"c", "b"}), (Matched{found("c"), found("b")}));
    EXPECT_EQ(match_columns({"a"}, 0, {rename(1, "a", "b"), rename(2, "b", "c")}, {"c"}), (Matched{found("c")}));
    EXPECT_EQ(match_columns({"a"}, 1, {rename(1, "a", "b")}, {"b"}), (Matched{found("a")}));
}

TEST(Columns, AreWhoeverHasTheirName) {
    EXPECT_EQ(match_columns({"price"}, 0, swap_for_new, {"price_old", "price"}),
              (Matched{replaced("price", "price_old")}));
    EXPECT_EQ(match_columns({"price"}, 0, swap_for_new, {"price"}), (Matched{replaced("price")}));
    EXPECT_EQ(match_columns({"price"}, 0, {rename(1, "price", "cents")}, {"cents", "price"}),
              (Matched{replaced("price", "cents")}));
    std::vector<Renames> at_once{{1, {"price", "price_new"}, {"price_old", "price"}}};
    EXPECT_EQ(match_columns({"price"}, 0, at_once, {"price_old", "price"}), (Matched{replaced("price", "price_old")}));
}

TEST(Columns, ThatStoodBesideTheirSuccessorAreItAlone) {
    EXPECT_EQ(match_columns({"price", "price_new"}, 0, swap_for_new, {"price_old", "price"}),
              (Matched{replaced("price", "price_old"), left_out("price")}));
    EXPECT_EQ(match_columns({"a", "b"}, 0, {rename(1, "b", "a")}, {"a"}), (Matched{replaced("a"), left_out("a")}));
}

TEST(Columns, ThatWereReplacedAreFollowedFromThere) {
    std::vector<Renames> renames = swap_for_new;
    renames.push_back(rename(3, "price", "cost"));
    EXPECT_EQ(match_columns({"price"}, 0, renames, {"price_old", "cost"}), (Matched{replaced("cost", "price_old")}));
    EXPECT_EQ(match_columns({"price", "price_new"}, 0, renames, {"cost"}),
              (Matched{replaced("cost"), left_out("cost")}));
}

TEST(Columns, ThatSwappedNamesGoByName) {
    std::vector<Renames> renames{rename(1, "a", "t"), rename(2, "b", "a"), rename(3, "t", "b")};
    EXPECT_EQ(match_columns({"a", "b"}, 0, renames, {"b", "a"}),
              (Matched{{"a", true, "b", false}, {"b", true, "a", false}}));
}

TEST(Columns, OfANameThatIsComputedNowAreFollowed) {
    EXPECT_EQ(match_columns({"name"}, 0, {rename(1, "name", "raw")}, {"raw"}), (Matched{found("raw")}));
    std::vector<Renames> renames{rename(1, "name", "raw"), rename(2, "computed", "name")};
    EXPECT_EQ(match_columns({"name"}, 0, renames, {"raw"}), (Matched{found("raw")}));
}

TEST(Columns, ThatAreGoneKeepTheirName) {
    EXPECT_EQ(match_columns({"a", "b"}, 0, {}, {"b"}), (Matched{found("a"), found("b")}));
    EXPECT_EQ(match_columns({"a"}, 0, {rename(1, "a", "b")}, {}), (Matched{found("b")}));
}
