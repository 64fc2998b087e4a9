#pragma once
#include <string>
#include <vector>

#include "catalog/relation_shape.hpp"
#include "snapshot/manifest.hpp"

namespace snapback {

/// Tell what has become of a table's schema since the snapshot, and what that means for a restore: one sentence for
/// each change, without a full stop. Empty where nothing has changed.
std::vector<std::string> drift_notes(const ManifestTable &stored, const RelationShape &live);

} // namespace snapback
