#include "core/slices.hpp"

#include <gtest/gtest.h>

#include <random>
#include <stdexcept>

#include "core/chunk.hpp"
#include "core/chunk_packer.hpp"

using namespace snapback;

namespace {

struct Interruption : std::runtime_error {
    Interruption() : std::runtime_error("interrupted") {}
};

/// While in scope, `between_slices` counts calls and throws at the given one.
class Pauses {
public:
    explicit Pauses(int last = 0) {
        count_ = 0;
        last_ = last;
        between_slices = [] {
            if (++count_ == last_)
                throw Interruption();
        };
    }
    ~Pauses() { between_slices = nullptr; }
    Pauses(const Pauses &) = delete;
    Pauses &operator=(const Pauses &) = delete;
    static int count() { return count_; }

private:
    static inline int count_;
    static inline int last_;
};

/// Content of more than a few slices that is hardly compressible.
const std::string &large_content() {
    static const std::string content = [] {
        std::string made;
        std::mt19937_64 random(7);
        while (made.size() < 5 * slice_size + 12345) {
            std::uint64_t number = random();
            made.append(reinterpret_cast<const char *>(&number), sizeof number);
        }
        return made;
    }();
    return content;
}

/// Expect that the work pauses, and that it ends if a pause throws.
template <class Work> void can_be_interrupted(Work &&work) {
    {
        Pauses pauses;
        work();
        EXPECT_GE(Pauses::count(), 5);
    }
    Pauses pauses(3);
    EXPECT_THROW(work(), Interruption);
    EXPECT_EQ(Pauses::count(), 3);
}

} // namespace

TEST(Slices, OfHashing) {
    EXPECT_EQ(sha256(large_content()).hex(), [] {
        Sha256 hash;
        std::string_view rest = large_content();
        for (std::size_t size = 1; !rest.empty(); size = size * 3 + 1) {
            hash.add(rest.substr(0, size));
            rest.remove_prefix(std::min(size, rest.size()));
        }
        return hash.finish().hex();
    }());
    can_be_interrupted([] { sha256(large_content()); });
}

TEST(Slices, OfCompressing) {
    Compressor compressor;
    std::string frame = compressor.compress(large_content());
    EXPECT_EQ(compressor.decompress(frame), large_content());
    EXPECT_EQ(compressor.decompress(compressor.compress("small")), "small");
    can_be_interrupted([&] { compressor.compress(large_content()); });
    can_be_interrupted([&] { compressor.decompress(frame); });
}

TEST(Slices, OfWhatIsLargeOnceItIsDecompressed) {
    Compressor compressor;
    std::string content(6 * slice_size, 'x');
    std::string frame = compressor.compress(content);
    EXPECT_LT(frame.size(), content.size() / 1000);
    EXPECT_EQ(compressor.decompress(frame), content);
    can_be_interrupted([&] { compressor.decompress(frame); });
}

TEST(Slices, OfLargeFramesAreRefusedWhereTheyAreDamaged) {
    Compressor compressor;
    std::string frame(unseal(compressor.compress(large_content())));
    EXPECT_THROW(compressor.decompress(seal(frame.substr(0, frame.size() - 1))), Error);
    EXPECT_THROW(compressor.decompress(seal(frame + "more")), Error);
    std::string damaged = frame;
    damaged[frame.size() / 2] = static_cast<char>(damaged[frame.size() / 2] ^ 1);
    EXPECT_TRUE([&] {
        try {
            return compressor.decompress(seal(std::move(damaged))) != large_content();
        } catch (const Error &) {
            return true;
        }
    }());
    EXPECT_EQ(compressor.decompress(seal(std::move(frame))), large_content());
}

TEST(Slices, OfRows) {
    can_be_interrupted([] {
        RowWriter row;
        row.field(large_content());
    });
    RowWriter row;
    row.field(large_content());
    std::string chunk;
    ChunkCutter cutter([&](std::string &&content, std::uint32_t) { chunk = std::move(content); });
    can_be_interrupted([&] { cutter.add("key", row.bytes()); });
    for_each_row(chunk, [&](std::string_view stored) { EXPECT_EQ(stored, row.bytes()); });
}

TEST(Slices, OfPacking) {
    can_be_interrupted([] {
        ChunkPacker packer(ChunkPacker::Known(1));
        packer.put(0, 0, std::string(large_content()));
        EXPECT_EQ(packer.wait()->digest, sha256(large_content()));
    });
}
