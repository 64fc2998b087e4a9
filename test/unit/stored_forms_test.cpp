#include <gtest/gtest.h>

#include "core/bytes.hpp"
#include "core/compression.hpp"
#include "core/digest.hpp"
#include "core/shape.hpp"
#include "core/sortable_key.hpp"

using namespace snapback;

namespace {
Shape example() {
    return {
        "odd\tschema", "a\nb\\c", "UTF8", {{"id", "uuid", FieldForm::fixed16}, {"x\ty", "app.mood", FieldForm::text}},
        {1, 0},        {"sum\t"}, 7,      9};
}
} // namespace

TEST(Shape, ReadsBackWhatItWrites) {
    EXPECT_EQ(Shape::from_text(example().to_text()), example());
}

TEST(Shape, RefusesWhatIsNotWhole) {
    std::string text = example().to_text();
    // Up to the last line: a truncated key is detected by the digest of the text, not by its form.
    for (std::size_t length = 0; length <= text.find("key\t"); length++)
        EXPECT_THROW(Shape::from_text(text.substr(0, length)), Error) << length;
    EXPECT_THROW(Shape::from_text(text + "more\t1\n"), Error);
}

TEST(Shape, RefusesNumbersThatAreNone) {
    std::string text = example().to_text();
    std::string other = text;
    other.replace(other.find("renames\t7"), 9, "renames\t7x");
    EXPECT_THROW(Shape::from_text(other), Error);
    other = text;
    other.replace(other.find("key\t1"), 5, "key\t2");
    EXPECT_THROW(Shape::from_text(other), Error);
}

TEST(Shape, RefusesAnotherMachineAndVersion) {
    std::string text = example().to_text();
    std::string other = text;
    other.replace(other.find("little"), 6, "big");
    EXPECT_THROW(Shape::from_text(other), Error);
    other = text;
    other.replace(other.find("version\t1"), 9, "version\t2");
    EXPECT_THROW(Shape::from_text(other), Error);
}

TEST(Digest, IsSha256) {
    EXPECT_EQ(sha256("abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(Digest::from_bytes(sha256("abc").view()), sha256("abc"));
    EXPECT_THROW(Digest::from_bytes("short"), Error);
}

TEST(Compressor, GivesBackWhatItTook) {
    Compressor compressor;
    for (std::size_t size : {0, 1, 1000, 1'000'000}) {
        std::string content(size, 'x');
        EXPECT_EQ(compressor.decompress(compressor.compress(content)), content);
    }
}

TEST(Compressor, RefusesDamage) {
    Compressor compressor;
    std::string frame = compressor.compress(std::string(1000, 'x') + "end");
    EXPECT_THROW(compressor.decompress(""), Error);
    EXPECT_THROW(compressor.decompress("not a frame"), Error);
    for (std::size_t length = 0; length < frame.size(); length++)
        EXPECT_THROW(compressor.decompress(std::string_view(frame).substr(0, length)), Error);
    for (std::size_t bit = 0; bit < frame.size() * 8; bit++) {
        std::string damaged = frame;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
        EXPECT_THROW(compressor.decompress(damaged), Error) << bit;
    }
}

TEST(Compressor, RefusesFramesThatWereNeverRight) {
    Compressor compressor;
    auto message = [&](std::string frame) {
        try {
            compressor.decompress(seal(std::move(frame)));
        } catch (const Error &error) {
            EXPECT_EQ(error.sqlstate, sqlstate::data_corrupted);
            return std::string(error.what());
        }
        return std::string("none");
    };
    std::string frame(unseal(compressor.compress(std::string(1000, 'x') + "end")));
    EXPECT_EQ(message(frame), "none");
    EXPECT_EQ(message(""), "chunk is not a zstd frame of known size");
    EXPECT_EQ(message("not a frame"), "chunk is not a zstd frame of known size");
    EXPECT_EQ(message(frame.substr(0, frame.size() - 1)), "could not decompress chunk: Src size is incorrect");
    // A frame without blocks that declares two GiB.
    EXPECT_EQ(message(std::string("\x28\xb5\x2f\xfd\xa0\x00\x00\x00\x80\x01\x00\x00", 12)),
              "chunk is not a zstd frame of known size");
    // Whatever zstd accepts, the size is that of the frame header.
    for (std::size_t bit = 0; bit < frame.size() * 8; bit++) {
        std::string damaged = frame;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
        message(damaged);
    }
}

TEST(Bytes, VarintsReadBack) {
    for (std::uint64_t number : {0ULL, 127ULL, 128ULL, 300ULL, ~0ULL}) {
        std::string bytes;
        append_varint(bytes, number);
        ByteReader reader(bytes);
        EXPECT_EQ(reader.varint(), number);
        EXPECT_TRUE(reader.at_end());
    }
    EXPECT_THROW(ByteReader(std::string(11, '\xff')).varint(), Error);
}

TEST(SortableKey, SortsAsTheValuesDo) {
    auto key = [](FieldForm form, bool is_signed, std::string_view value) {
        std::string bytes;
        append_sortable(bytes, {0, form, is_signed}, value);
        return bytes;
    };
    auto number = [](std::int32_t value) {
        std::string bytes;
        append_little_endian(bytes, static_cast<std::uint32_t>(value), 4);
        return bytes;
    };
    EXPECT_LT(key(FieldForm::word4, true, number(-1)), key(FieldForm::word4, true, number(1)));
    EXPECT_GT(key(FieldForm::word4, false, number(-1)), key(FieldForm::word4, false, number(1)));
    EXPECT_EQ(key(FieldForm::fixed16, false, "0123456789abcdef"), "0123456789abcdef");
    EXPECT_LT(key(FieldForm::text, false, "a"), key(FieldForm::text, false, "ab"));
    EXPECT_LT(key(FieldForm::text, false, std::string("a\0", 2)), key(FieldForm::text, false, "aa"));
}

TEST(Bytes, BigEndianSortsAsNumbersDo) {
    std::string small;
    std::string large;
    append_big_endian(small, 255, 8);
    append_big_endian(large, 256, 8);
    EXPECT_LT(small, large);
    std::string little;
    append_little_endian(little, 0x0102, 4);
    EXPECT_EQ(little_endian(little), 0x0102U);
}
