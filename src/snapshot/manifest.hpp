#pragma once
#include <map>
#include <memory>

#include "core/delta.hpp"
#include "core/digest.hpp"
#include "core/shape.hpp"
#include "postgres/spi/query.hpp"

namespace snapback {

/// The changes of one table since a base, by key: the newest of each row.
struct TableChanges {
    std::vector<Change> changes;
    std::shared_ptr<const std::vector<std::string>> deltas; // which they point into
};

/// One table of a snapshot: its shape, the number of rows, and their chunks in order, all as in the base; and what has
/// changed since.
struct ManifestTable {
    std::int32_t table_id = 0;
    Digest shape;
    std::int64_t rows = 0;
    std::int64_t bytes = 0; // before compression
    std::string chunks;     // digests, 32 bytes each
    std::string bounds{};   // per chunk but the first: ChunkCutter::bound(), preceded by its length; version 1: empty
    std::shared_ptr<const TableChanges> changes{}; // none: nothing has changed

    std::size_t chunk_count() const { return chunks.size() / Digest::size; }
    Digest chunk(std::size_t i) const {
        return Digest::from_bytes(std::string_view(chunks).substr(i * Digest::size, Digest::size));
    }
    /// The bounds by chunk, as views. Throws Error (XX001) if there are not as many as chunks.
    std::vector<std::string_view> chunk_bounds() const;
};

/// The full read that a snapshot is based on.
struct Base {
    std::string id{};
    Digest digest{}; // of its tables
};

/// A snapshot and its contents.
struct Manifest {
    std::string id{};
    std::string community{};
    std::optional<std::string> identity{}; // in the directory; not hashed because adopt_snapshots() changes it
    TimestampTz captured_at = 0;           // microseconds since 2000-01-01 00:00 UTC
    std::string kind{};
    std::optional<std::string> label{};
    std::vector<ManifestTable> tables{}; // by table_id
    std::string community_name{};        // in the directory; empty if unknown. For display only, not hashed
    std::optional<Base> base{};          // none in version 1, whose tables are of the snapshot alone
    std::string deltas{};                // digests of the changes since the base, oldest first, 32 bytes each
    std::int64_t delta_bytes = 0;        // before compression
    std::optional<std::string> basis{};  // ID of what a later capture needs to find the changes since

    const ManifestTable *table(std::int32_t id) const;
    std::vector<Digest> all_deltas() const;
    /// Hash the manifest in the canonical form of docs/format.md.
    Digest digest() const;
};

/// Hash the tables of a base in the canonical form of docs/format.md.
Digest base_digest(const std::vector<ManifestTable> &tables);

/// Store the tables of these snapshots as bases, and their shapes.
void write_bases(std::span<Manifest> manifests, const std::map<Digest, Shape> &shapes);
/// Store snapshots whose bases are stored; this completes them.
void write_manifests(std::span<const Manifest> manifests);

/// Read a manifest with the changes since its base; throws Error (SB008 no such snapshot, XX001 it is damaged).
Manifest read_manifest(const std::string &snapshot);
/// Read a manifest without the changes.
Manifest read_manifest_of_base(const std::string &snapshot);
/// Add the changes to a manifest that was read without them.
void read_changes(Manifest &manifest);
/// The newest change of each row, by table: in the deltas of a manifest, and in deltas that are newer.
std::map<std::int32_t, TableChanges> newest_changes(const Manifest &manifest, std::vector<std::string> newer = {});

/// Read a stored shape; throws Error (XX001) if it is missing or does not match its digest.
Shape read_shape(const Digest &digest);

} // namespace snapback
