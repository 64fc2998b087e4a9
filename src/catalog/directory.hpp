#pragma once
// The directory: the DBA's view (or table) with one row per community. Its code is its owner's, and runs as its owner.
#include <map>

#include "postgres/query.hpp"
#include "postgres/view_column.hpp"

namespace snapback {

struct DirectoryEntry {
    std::string community;
    std::optional<std::string> name;
    std::optional<std::string> owner;
    std::optional<std::string> owner_email;
    bool restores_enabled = false;
    std::optional<std::string> schema_name; // where each community has a schema of its own
    std::optional<std::string> identity;    // where the directory has that column; its NULL reads as ''
};

/// What tells one community from another: its key, and where the directory has the column, its identity.
struct CommunityKey {
    std::string community;
    std::optional<std::string> identity;
};

/// What the directory says of one community; nothing where it lists none of that name.
/// Throws Error where no directory is set or the community stands there twice.
std::optional<DirectoryEntry> directory_entry(const std::string &community);

/// Every entry, in byte order of the communities. Throws Error where a community stands there twice or has no key.
std::vector<DirectoryEntry> directory_entries();

/// The communities alone, each once, in byte order. A row without a key costs a warning only, so that one bad row does
/// not cost the others their snapshot.
std::vector<std::string> communities();

/// The keys and identities that the directory lists, as the active snapshot shows it: of these communities, or of all
/// where none are named. A row without a key is skipped, and of a community that is listed twice one row counts.
std::vector<CommunityKey> directory_keys(std::span<const std::string> among);

/// The identity that each of these communities has in the directory, as the active snapshot shows it: '' for one that
/// is not listed, and none for all where the directory has no such column.
std::vector<std::optional<std::string>> identities_of(std::span<const std::string> communities);

/// What the directory calls these communities: those that have one name of up to 1000 characters.
std::map<std::string, std::string> community_names(const std::vector<std::string> &communities);

/// The table column that the directory's communities come from, and that foreign keys may refer to, if there is one.
std::optional<TableColumn> community_key();

} // namespace snapback
