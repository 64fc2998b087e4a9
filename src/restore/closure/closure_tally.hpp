#pragma once
#include <map>

#include "restore/plan/plan.hpp"

namespace snapback {

/// The effects of a foreign key on a plan.
struct Tally {
    ForeignKey key;
    std::uint64_t parents = 0;  // rows of the parent
    std::uint64_t nulled = 0;   // rows of the child
    std::uint64_t changed = 0;  // of these, rows whose parent exists with another value
    std::uint64_t cascaded = 0; // rows of the child
};

/// The tallies of all foreign keys, by child and name.
class Tallies {
public:
    Tally &of(const ForeignKey &key) {
        return tallies_.try_emplace({key.child_part, key.name}, Tally{key}).first->second;
    }
    std::map<std::pair<Oid, std::string>, Tally> &all() { return tallies_; }

private:
    std::map<std::pair<Oid, std::string>, Tally> tallies_;
};

} // namespace snapback
