#pragma once
#include <map>

#include "core/digest.hpp"
#include "core/shape.hpp"
#include "postgres/spi/query.hpp"

namespace snapback {

/// One table of a snapshot: its shape, the number of rows, and their chunks in order.
struct ManifestTable {
    std::int32_t table_id = 0;
    Digest shape;
    std::int64_t rows = 0;
    std::int64_t bytes = 0; // before compression
    std::string chunks;     // digests, 32 bytes each

    std::size_t chunk_count() const { return chunks.size() / Digest::size; }
    Digest chunk(std::size_t i) const {
        return Digest::from_bytes(std::string_view(chunks).substr(i * Digest::size, Digest::size));
    }
    std::vector<Digest> all_chunks() const {
        std::vector<Digest> all;
        for (std::size_t i = 0; i < chunk_count(); i++)
            all.push_back(chunk(i));
        return all;
    }
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

    const ManifestTable *table(std::int32_t id) const;
    /// Hash the manifest in the canonical form of docs/format.md.
    Digest digest() const;
};

/// Store the manifests of complete snapshots and their shapes.
void write_manifests(std::span<const Manifest> manifests, const std::map<Digest, Shape> &shapes);

/// Read a manifest; throws Error (SB008 no such snapshot, XX001 the hash does not match).
Manifest read_manifest(const std::string &snapshot);

/// Read a stored shape; throws Error (XX001) if it is missing or does not match its digest.
Shape read_shape(const Digest &digest);

} // namespace snapback
