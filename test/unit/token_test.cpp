#include "core/token.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

using namespace snapback;

namespace {

using Random = std::array<unsigned char, token_bytes>;

bool is_url_safe(const std::string &text) {
    return std::all_of(text.begin(), text.end(),
                       [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
}

} // namespace

TEST(Token, WritesKnownBytesAsBase64Url) {
    Random zeros{};
    EXPECT_EQ(token_text(zeros), std::string(43, 'A'));
    Random ones;
    ones.fill(0xFF);
    EXPECT_EQ(token_text(ones), std::string(42, '_') + "8");
    Random counting;
    for (std::size_t i = 0; i < counting.size(); i++)
        counting[i] = static_cast<unsigned char>(i);
    EXPECT_EQ(token_text(counting), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
}

TEST(Token, EveryBitCounts) {
    std::set<std::string> texts;
    for (std::size_t bit = 0; bit < token_bytes * 8; bit++) {
        Random random{};
        random[bit / 8] = static_cast<unsigned char>(1 << (bit % 8));
        std::string text = token_text(random);
        EXPECT_EQ(text.size(), 43u);
        EXPECT_TRUE(is_url_safe(text)) << text;
        texts.insert(text);
    }
    EXPECT_EQ(texts.size(), token_bytes * 8);
}

TEST(Token, IsHashedAsText) {
    // printf AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 | sha256sum
    const unsigned char expected[] = {0xea, 0x86, 0x6a, 0x75, 0x7e, 0x4c, 0x38, 0xba, 0xbf, 0xa8, 0x12,
                                      0x7c, 0xbe, 0x9a, 0x40, 0x9d, 0x3e, 0x1f, 0x93, 0xa0, 0x0f, 0xf1,
                                      0x48, 0x8f, 0xf7, 0x35, 0xfc, 0xf9, 0x17, 0xaf, 0xff, 0xd0};
    Digest digest = token_hash("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    EXPECT_TRUE(std::equal(digest.bytes.begin(), digest.bytes.end(), std::begin(expected)));
}
