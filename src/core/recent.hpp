#pragma once
// What was found lately, in a fixed amount of memory: a set of two entries for each hash, of which the older one makes
// room. For what can be found again, only more slowly.
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace snapback {

template <class Entry, std::size_t sets> class Recent {
public:
    /// Find an entry among those that the hash leads to; null where none is the one.
    template <class IsIt> Entry *find(std::uint64_t hash, const IsIt &is_it) {
        for (Entry &entry : entries_[hash % sets])
            if (is_it(entry))
                return &entry;
        return nullptr;
    }

    /// Make room for an entry that the hash leads to: the last one that was put there stays.
    Entry &replace(std::uint64_t hash) {
        auto &set = entries_[hash % sets];
        std::swap(set[0], set[1]);
        return set[0];
    }

private:
    std::array<std::array<Entry, 2>, sets> entries_{};
};

} // namespace snapback
