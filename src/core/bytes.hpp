#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace snapback {

/// Append an unsigned number in LEB128: seven bits per byte, lowest first; the high bit marks that another byte
/// follows.
inline void append_varint(std::string &out, std::uint64_t number) {
    while (number >= 0x80) {
        out.push_back(static_cast<char>(number | 0x80));
        number >>= 7;
    }
    out.push_back(static_cast<char>(number));
}

/// Append a number in big-endian order, so that encoded numbers compare as unsigned bytes.
inline void append_big_endian(std::string &out, std::uint64_t number, int width) {
    char bytes[8];
    for (int i = width; i-- > 0; number >>= 8)
        bytes[i] = static_cast<char>(number);
    out.append(bytes, static_cast<std::size_t>(width));
}

/// Append a number in little-endian order.
inline void append_little_endian(std::string &out, std::uint64_t number, int width) {
    char bytes[8];
    for (int i = 0; i < width; i++, number >>= 8)
        bytes[i] = static_cast<char>(number);
    out.append(bytes, static_cast<std::size_t>(width));
}

/// Read a little-endian number of up to eight bytes.
inline std::uint64_t little_endian(std::string_view bytes) {
    std::uint64_t number = 0;
    for (std::size_t i = bytes.size(); i-- > 0;)
        number = number << 8 | static_cast<unsigned char>(bytes[i]);
    return number;
}

/// Reads bytes in order. Throws Error (XX001) when the input ends too early.
class ByteReader {
public:
    explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

    bool at_end() const { return rest_.empty(); }
    std::string_view take(std::uint64_t length) {
        if (length > rest_.size())
            throw Error(sqlstate::data_corrupted, "stored rows end in the middle of a value");
        std::string_view taken = rest_.substr(0, length);
        rest_.remove_prefix(length);
        return taken;
    }
    std::uint64_t varint() {
        std::uint64_t number = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            auto byte = static_cast<unsigned char>(take(1)[0]);
            number |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if (!(byte & 0x80))
                return number;
        }
        throw Error(sqlstate::data_corrupted, "stored number exceeds 64 bits");
    }

private:
    std::string_view rest_;
};

} // namespace snapback
