#include "core/chunk_packer.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>

using namespace snapback;

namespace {

/// Content that compresses to about half its size.
std::string content_of(int number, std::size_t size) {
    std::string content;
    std::mt19937 random(static_cast<unsigned>(number));
    for (std::size_t i = 0; i < size; i++)
        content.push_back(static_cast<char>('a' + random() % 16));
    return content;
}

/// Compare a chunk with the nth one that was put; count its frame.
void expect(const PackedChunk &chunk, std::uint32_t n, const std::string &content, int &frames) {
    EXPECT_EQ(chunk.table, n);
    EXPECT_EQ(chunk.digest, sha256(content));
    if (chunk.frame.empty())
        return;
    frames++;
    EXPECT_EQ(Compressor().decompress(chunk.frame), content);
}

} // namespace

TEST(ChunkPacker, GivesChunksBackInOrder) {
    ChunkPacker packer(ChunkPacker::Known(3));
    std::uint32_t taken = 0;
    int frames = 0;
    // More than may be queued, so that the caller packs some of them.
    for (std::uint32_t n = 0; n < 100; n++) {
        packer.put(n % 3, n, content_of(static_cast<int>(n), 400'000));
        while (auto chunk = packer.take()) {
            expect(*chunk, taken, content_of(static_cast<int>(taken), 400'000), frames);
            taken++;
        }
    }
    while (auto chunk = packer.wait()) {
        expect(*chunk, taken, content_of(static_cast<int>(taken), 400'000), frames);
        taken++;
    }
    EXPECT_EQ(taken, 100U);
    EXPECT_EQ(frames, 100);
}

TEST(ChunkPacker, CompressesEachContentOncePerCommunity) {
    ChunkPacker::Known known(2);
    known[0].insert(sha256("stored before"));
    ChunkPacker packer(std::move(known));
    std::map<std::string, int> frames;
    const std::vector<std::pair<std::uint32_t, std::string>> chunks{
        {0, "stored before"}, {1, "stored before"}, {0, "new"}, {0, "new"}, {1, "new"}};
    for (auto [community, content] : chunks)
        packer.put(community, 0, std::move(content));
    for (const auto &[community, content] : chunks) {
        auto chunk = packer.wait();
        ASSERT_TRUE(chunk);
        EXPECT_EQ(chunk->community, community);
        EXPECT_EQ(chunk->digest, sha256(content));
        if (!chunk->frame.empty())
            frames[content + std::to_string(community)]++;
    }
    EXPECT_FALSE(packer.wait());
    EXPECT_EQ(frames, (std::map<std::string, int>{{"new0", 1}, {"new1", 1}, {"stored before1", 1}}));
}

TEST(ChunkPacker, EndsWithChunksWaiting) {
    for (int i = 0; i < 20; i++) {
        ChunkPacker packer(ChunkPacker::Known(1));
        for (std::uint32_t n = 0; n < 20; n++)
            packer.put(0, n, content_of(static_cast<int>(n), 20'000));
    }
}

TEST(ChunkPacker, GoesOnWithoutItsThread) {
    ChunkPacker packer(ChunkPacker::Known(1));
    packer.put(0, 0, "first");
    packer.stop();
    packer.put(0, 1, "second");
    EXPECT_EQ(packer.wait()->table, 0U);
    EXPECT_EQ(packer.wait()->table, 1U);
    EXPECT_FALSE(packer.wait());
}

TEST(ChunkPackerDeathTest, LetsTheProcessExitInTheMiddle) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            ChunkPacker packer(ChunkPacker::Known(1));
            for (std::uint32_t n = 0; n < 20; n++)
                packer.put(0, n, content_of(static_cast<int>(n), 400'000));
            std::exit(7);
        },
        testing::ExitedWithCode(7), "");
}
