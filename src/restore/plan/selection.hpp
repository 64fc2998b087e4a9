#pragma once
#include <map>

#include "catalog/community_path.hpp"
#include "restore/plan/restore_options.hpp"

namespace snapback {

/// The part of a table to restore, as SQL conditions over its columns.
struct Selection {
    std::string rows; // condition for whole rows; empty: none
    struct Part {
        std::vector<std::string> columns;
        std::string rows; // condition for these columns only
    };
    std::vector<Part> parts;
    std::vector<std::string> options; // the chosen options that cover the table
    /// The part that one of these covers.
    struct Share {
        std::string option;
        std::vector<std::string> columns; // empty: whole rows
        std::string filter;               // "true": all rows
    };
    std::vector<Share> shares;
    std::string only; // a jsonb array of keys: only these of the selected rows
    std::string also; // a jsonb array of keys: these rows in addition

    bool empty() const { return rows.empty() && parts.empty(); }
    /// Add a condition for every row.
    void narrow(const std::string &condition);
    /// Add whole rows that satisfy a condition.
    void widen(const std::string &condition);
};

/// By the number of the protected table in the catalog.
using Selections = std::map<std::int32_t, Selection>;

/// Determine which parts of a community's tables the chosen options and switches cover. Throws Error (22023) if the
/// switches name rows of no covered table.
Selections select_tables(std::span<const ProtectedTable> tables, const std::string &community,
                         const std::vector<std::string> &options, const RestoreOptions &switches);

/// If this is the before_restore snapshot of a restore of these options, add the rows outside the options that it
/// changed, so that an undo restores them too.
void add_rows_touched_outside(Selections &selections, const std::string &snapshot,
                              const std::vector<std::string> &options);

} // namespace snapback
