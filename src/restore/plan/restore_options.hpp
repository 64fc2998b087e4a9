#pragma once
#include <map>
#include <optional>
#include <string>

#include "postgres/spi/value.hpp"

namespace snapback {

/// What a restore may do, where that can be chosen: the argument `switches` of preview_restore(), request_restore() and
/// restore().
struct RestoreOptions {
    enum class Referenced { keep, cascade };       ///< rows added since that others refer to
    enum class OnMissingParent { restore, error }; ///< rows that restored rows refer to, and that are gone
    enum class OnConflict { error, skip };         ///< restored rows whose unique value another row holds now

    bool inserts = true;
    bool updates = true;
    bool deletes = true;
    Referenced referenced = Referenced::keep;
    OnMissingParent missing_parents = OnMissingParent::restore;
    OnConflict on_conflict = OnConflict::error;
    std::map<std::string, std::string> rows; ///< option or table → array of keys, as jsonb; these rows alone
    bool children = false;                   ///< with those rows, the rows that refer to them
};

/// Read switches from jsonb, NULL for none; throws Error (22023) naming what is not understood.
RestoreOptions read_restore_options(const Value &switches);

} // namespace snapback
