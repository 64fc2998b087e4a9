#pragma once
#include <string>
#include <vector>

#include "restore/plan/table_plan.hpp"

namespace snapback {

/// Tell what has become of a table's schema since the snapshot, and what that means for a restore: one sentence for
/// each change, without a full stop. Empty where nothing has changed.
std::vector<std::string> drift_notes(const ManifestTable &stored, const RelationShape &live);

/// What a stored table was called when the snapshot was taken.
std::string name_then(const ManifestTable &stored);

/// The live table that a stored one is restored into; throws Error, naming it: 42704 where it was dropped, SB009 where
/// it has taken the place of the one that the snapshot holds.
RelationShape shape_to_restore(const ProtectedTable &table, const Manifest &manifest, const ManifestTable &stored);

/// Return Error (SB009) where one of these options names columns that the table does not have any more, or picks rows
/// by a filter that cannot be used any more, or not on the snapshot's rows.
[[nodiscard]] std::optional<Error> find_unusable_option(Query &query, const TablePlan &plan,
                                                        const std::vector<std::string> &options);

} // namespace snapback
