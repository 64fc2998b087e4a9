#pragma once
#include <string>
#include <vector>

#include "restore/plan/table_plan.hpp"

namespace snapback {

/// Return notes on the changes of a table's schema since the snapshot and their effect on a restore, each without a
/// full stop. Empty if nothing has changed.
std::vector<std::string> drift_notes(const ManifestTable &stored, const RelationShape &live);

/// The name of a stored table when the snapshot was taken.
std::string name_then(const ManifestTable &stored);

/// Return the shape of the live table that a stored one is restored into. Throws Error: 42704 if it was dropped, SB009
/// if it has replaced the table in the snapshot.
RelationShape shape_to_restore(const ProtectedTable &table, const Manifest &manifest, const ManifestTable &stored);

/// Return Error (SB009) if one of these options names columns that the table no longer has, or if its filter can no
/// longer be evaluated, or not for the rows of the snapshot.
[[nodiscard]] std::optional<Error> find_unusable_option(Query &query, const TablePlan &plan,
                                                        const std::vector<std::string> &options);

} // namespace snapback
