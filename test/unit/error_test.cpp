#include "core/error.hpp"

#include <gtest/gtest.h>

using snapback::Error;

TEST(Error, CarriesStateMessageDetailAndHint) {
    try {
        throw Error("SB001", "unknown option")
            .with_detail("There is no such option.")
            .with_hint("See snapback.option.");
    } catch (const Error &error) {
        EXPECT_EQ(error.sqlstate, "SB001");
        EXPECT_STREQ(error.what(), "unknown option");
        EXPECT_EQ(error.detail, "There is no such option.");
        EXPECT_EQ(error.hint, "See snapback.option.");
    }
}

TEST(Error, NeedsNeitherDetailNorHint) {
    Error error("XX000", "broken");
    EXPECT_TRUE(error.detail.empty());
    EXPECT_TRUE(error.hint.empty());
}

TEST(Error, IsAStandardException) {
    EXPECT_THROW(throw Error("XX000", "broken"), std::runtime_error);
}
