#include "postgres/cpu_slice.hpp"

#include <sys/syscall.h>
#include <unistd.h>

namespace snapback {
namespace {

constexpr std::uint64_t longest = 100'000'000; // the kernel takes no more

/// The first edition of the kernel's struct sched_attr: glibc has none before 2.41, and the kernel's own header does
/// not go together with glibc's <sched.h>.
struct Attributes {
    std::uint32_t size = sizeof(Attributes);
    std::uint32_t policy = 0;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0;
    std::uint64_t deadline = 0;
    std::uint64_t period = 0;
};

/// Ask for slices of that length; return what they were. All else stays as it is.
std::optional<std::uint64_t> set_slice(std::uint64_t nanoseconds) {
    Attributes attributes;
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0)
        return std::nullopt;
    std::uint64_t before = attributes.runtime;
    attributes.runtime = nanoseconds;
    if (syscall(SYS_sched_setattr, 0, &attributes, 0) != 0)
        return std::nullopt;
    return before;
}

} // namespace

LongSlice::LongSlice() : before_(set_slice(longest)) {}

LongSlice::~LongSlice() {
    if (before_)
        set_slice(*before_);
}

} // namespace snapback
