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
    /// The number of rows. It reads the chunks in which something has changed.
    std::int64_t count();
    /// The chunk that a key belongs to. Not for tables of format version 1, which do not tell.
    std::size_t place_of(std::string_view key) const;

private:
    std::span<const Change> changes() const {
        return table_.changes ? std::span<const Change>(table_.changes->changes) : std::span<const Change>();
    }
    std::span<const Change> changes_in(std::size_t chunk) const;

    const ManifestTable &table_;
    KeyReader keys_;
    ChunkReader &chunks_;
    std::vector<std::string_view> bounds_;   // per chunk; none in format version 1
    std::vector<std::size_t> first_changes_; // per chunk: the number of its first change; and the number of all changes
};

/// Looks up rows by ascending keys, chunk by chunk.
class RowLookup {
public:
    RowLookup(TableContents &contents, const Shape &shape) : contents_(contents), keys_(shape) {}
    /// The row with this key, valid until the next call; nothing if there is none. The keys must ascend.
    std::optional<std::string_view> find(std::string_view key);

private:
    TableContents &contents_;
    KeyReader keys_;
    std::optional<std::size_t> chunk_;
    std::string content_;
    std::vector<std::string_view> rows_;
    std::size_t at_ = 0;
    std::string key_; // of the row at at_; empty if not read
};

} // namespace snapback
