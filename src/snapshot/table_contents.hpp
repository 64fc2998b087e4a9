#pragma once
#include <algorithm>

#include "snapshot/chunk_store.hpp"
#include "snapshot/manifest.hpp"

namespace snapback {

/// The rows of one table in a snapshot, as chunks in key order: those of its base, with the changes since.
class TableContents {
public:
    TableContents(const ManifestTable &table, const Shape &shape, ChunkReader &chunks);

    /// The number of chunks.
    std::size_t size() const { return std::max<std::size_t>(table_.chunk_count(), changes().empty() ? 0 : 1); }
    /// The digest of a stored chunk in which nothing has changed; nothing for other chunks.
    std::optional<Digest> digest(std::size_t chunk) const;
    std::vector<std::optional<Digest>> digests() const;
    /// The content of a chunk, which may have no rows. Throws Error (XX001) if what is stored is missing or damaged.
    std::string content(std::size_t chunk);

private:
    std::span<const Change> changes() const {
        return table_.changes ? std::span<const Change>(table_.changes->changes) : std::span<const Change>();
    }
    std::span<const Change> changes_in(std::size_t chunk) const;

    const ManifestTable &table_;
    KeyReader keys_;
    ChunkReader &chunks_;
    std::vector<std::size_t> first_changes_; // per chunk: the number of its first change; and the number of all changes
};

} // namespace snapback
