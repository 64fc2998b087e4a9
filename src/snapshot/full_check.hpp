#pragma once
#include <set>

#include "snapshot/changes_capture.hpp"

namespace snapback {

/// Compares snapshots that were captured by their changes with a full read of the live rows, under the same active
/// snapshot.
class FullCheck {
public:
    /// `manifests`: stored snapshots that were captured under the active snapshot, one per community.
    FullCheck(const std::vector<Manifest> &manifests, const CapturedTables &tables);
    /// Record each difference, and when the bases were checked. Return the IDs of the snapshots that differ.
    std::set<std::string> run();

private:
    void check(const CapturedTables::Table &table);
    void record(const Manifest &manifest, const CapturedTables::Table &table, std::int64_t rows);

    std::vector<Manifest> manifests_;
    const CapturedTables &tables_;
    std::vector<std::string> communities_;
    RowSorter sorter_;
    std::set<std::string> different_;
};

/// Those of these snapshots whose bases are due for a check: snapback.full_check_interval after the last check, or
/// up to a quarter earlier or later, so that the checks are spread over the nights.
/// They come in groups whose deltas fit into snapback.capture_memory.
std::vector<std::vector<Manifest>> due_for_check(const std::vector<Manifest> &manifests);

} // namespace snapback
