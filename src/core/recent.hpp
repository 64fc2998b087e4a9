#pragma once
// A fixed-size cache: each hash selects a set of two entries, of which the older one is replaced. For data that can be
// looked up again at a higher cost.
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace snapback {

template <class Entry, std::size_t sets> class Recent {
public:
    /// Find the matching entry in the set of the hash; null if there is none.
    template <class IsIt> Entry *find(std::uint64_t hash, const IsIt &is_it) {
        for (Entry &entry : entries_[hash % sets])
            if (is_it(entry))
                return &entry;
        return nullptr;
    }

    /// Return the entry to overwrite. The most recently added entry of the set is kept.
    Entry &replace(std::uint64_t hash) {
        auto &set = entries_[hash % sets];
        std::swap(set[0], set[1]);
        return set[0];
    }

private:
    std::array<std::array<Entry, 2>, sets> entries_{};
};

} // namespace snapback
