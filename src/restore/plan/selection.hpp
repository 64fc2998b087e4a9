#pragma once
#include <map>

#include "catalog/community_path.hpp"
#include "restore/plan/restore_options.hpp"

namespace snapback {

/// Which part of a table a restore is asked for, as SQL conditions over its columns.
struct Selection {
    std::string rows; // whole rows are restored where this holds; empty: nowhere
    struct Part {
        std::vector<std::string> columns;
        std::string rows; // these columns alone are restored where this holds
    };
    std::vector<Part> parts;
    std::vector<std::string> options; // the chosen options that cover the table
    /// What one of these covers.
    struct Share {
        std::string option;
        std::vector<std::string> columns; // empty: whole rows
        std::string filter;               // "true": all of them
    };
    std::vector<Share> shares;
    std::string only; // a jsonb array of keys: of all this, only these rows
    std::string also; // a jsonb array of keys: besides, these rows

    bool empty() const { return rows.empty() && parts.empty(); }
    /// Demand a further condition of every row.
    void narrow(const std::string &condition);
    /// Take in the whole rows where a condition holds.
    void widen(const std::string &condition);
};

/// By a protected table's number in the catalog.
using Selections = std::map<std::int32_t, Selection>;

/// Work out what the chosen options and switches cover of a community's tables. Throws Error (22023) where the rows
/// that the switches name belong to none of them.
Selections select_tables(std::span<const ProtectedTable> tables, const std::string &community,
                         const std::vector<std::string> &options, const RestoreOptions &switches);

/// Add the rows outside the chosen options that an earlier restore of these options touched, where this snapshot is
/// the one it made before: going back to it takes them back as well.
void add_rows_touched_outside(Selections &selections, const std::string &snapshot,
                              const std::vector<std::string> &options);

} // namespace snapback
