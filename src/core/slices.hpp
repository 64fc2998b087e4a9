#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace snapback {

/// Size of one slice of a long operation on bytes.
inline constexpr std::size_t slice_size = std::size_t{8} * 1024 * 1024;

/// Called between slices in the thread that sets it; may throw to interrupt the operation. Threads that do not set it
/// are not interrupted.
inline thread_local void (*between_slices)() = nullptr;

/// Call `work` for each slice of the bytes.
template <class Work> void for_each_slice(std::string_view bytes, Work &&work) {
    while (bytes.size() > slice_size) {
        work(bytes.substr(0, slice_size));
        bytes.remove_prefix(slice_size);
        if (between_slices)
            between_slices();
    }
    work(bytes);
}

/// Append bytes in slices.
template <class Container> void append_slices(Container &to, std::string_view bytes) {
    if (bytes.size() > slice_size)
        to.reserve(to.size() + bytes.size());
    for_each_slice(bytes, [&to](std::string_view slice) { to.insert(to.end(), slice.begin(), slice.end()); });
}

} // namespace snapback
