#pragma once
#include <map>
#include <optional>
#include <string>

#include "postgres/spi/value.hpp"

namespace snapback {

/// The argument `switches` of preview_restore(), request_restore() and restore().
struct RestoreOptions {
    enum class Referenced { keep, cascade };       ///< added rows that others refer to
    enum class OnMissingParent { restore, error }; ///< missing rows that restored rows refer to
    enum class OnConflict { error, skip };         ///< restored rows whose unique value another row holds

    bool inserts = true;
    bool updates = true;
    bool deletes = true;
    Referenced referenced = Referenced::keep;
    OnMissingParent missing_parents = OnMissingParent::restore;
    OnConflict on_conflict = OnConflict::error;
    std::map<std::string, std::string> rows; ///< option or table → array of keys, as jsonb; only these rows
    bool children = false;                   ///< also the rows that refer to those rows
};

/// Read switches from jsonb, NULL for none; throws Error (22023) for an invalid switch.
RestoreOptions read_restore_options(const Value &switches);

} // namespace snapback
