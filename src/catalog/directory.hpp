#pragma once
// The directory: a view or table of the DBA with one row per community. Queries read it as its owner.
#include <map>

#include "postgres/catalog/view_column.hpp"
#include "postgres/spi/query.hpp"

namespace snapback {

struct DirectoryEntry {
    std::string community;
    std::optional<std::string> name;
    std::optional<std::string> owner;
    std::optional<std::string> owner_email;
    bool restores_enabled = false;
    std::optional<std::string> schema_name; // if each community has its own schema
    std::optional<std::string> identity;    // if the directory has that column; NULL reads as ''
};

/// Identifies a community: its key, and its identity if the directory has that column.
struct CommunityKey {
    std::string community;
    std::optional<std::string> identity;
};

/// The directory entry of one community; none if the directory does not list it.
/// Throws Error if no directory is set or the community is listed twice.
std::optional<DirectoryEntry> directory_entry(const std::string &community);

/// All entries, in byte order of the communities. Throws Error if a community is listed twice or a row has no key.
std::vector<DirectoryEntry> directory_entries();

/// The keys of all communities, each once, in byte order. A row without a key causes only a warning, so that the other
/// communities are still captured.
std::vector<std::string> communities();

/// Keys and identities of these communities, or of all if `among` is empty, under the active snapshot. Rows without a
/// key are skipped; a community that is listed twice yields one row.
std::vector<CommunityKey> directory_keys(std::span<const std::string> among);

/// The identity of each of these communities under the active snapshot: '' for one that is not listed; none for all if
/// the directory has no such column.
std::vector<std::optional<std::string>> identities_of(std::span<const std::string> communities);

/// The names of these communities in the directory. Only communities with a single name of 1 to 1000 characters are
/// included.
std::map<std::string, std::string> community_names(const std::vector<std::string> &communities);

/// The table column from which the directory takes its communities and which foreign keys can reference, if there is
/// one.
std::optional<TableColumn> community_key();

} // namespace snapback
