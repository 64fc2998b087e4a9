#pragma once
#include "snapshot/manifest.hpp"

namespace snapback {

/// What a capture is told: whose rows, and what the snapshots are called.
struct CaptureOrder {
    std::vector<std::string> communities;
    std::string kind; // scheduled, manual, before_restore
    std::optional<std::string> label;
};

/// Capture these communities under one MVCC snapshot, store what is new and return their manifests, in the same order.
/// All of it is part of the calling transaction.
std::vector<Manifest> capture(const CaptureOrder &order);

} // namespace snapback
