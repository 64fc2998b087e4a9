#pragma once
#include <map>

#include "core/digest.hpp"
#include "core/shape.hpp"
#include "postgres/query.hpp"

namespace snapback {

/// One table of a snapshot: its rows' shape, how many there are, and the chunks that hold them, in order.
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

/// A snapshot's identity and everything it holds.
struct Manifest {
    std::string id{};
    std::string community{};
    std::optional<std::string> identity{}; // that the directory had; not hashed, since adopt_snapshots() changes it
    TimestampTz captured_at = 0;           // microseconds since 2000-01-01 00:00 UTC
    std::string kind{};
    std::optional<std::string> label{};
    std::vector<ManifestTable> tables{}; // by table_id
    std::string community_name{}; // as the directory had it; empty where none is known. Not hashed: it is shown only

    const ManifestTable *table(std::int32_t id) const;
    /// Hash all of it, in the canonical form of docs/format.md.
    Digest digest() const;
};

/// Store the manifests of complete snapshots and the shapes they name.
void write_manifests(std::span<const Manifest> manifests, const std::map<Digest, Shape> &shapes);

/// Read a manifest back; throws Error (SB008 unknown, XX001 where it does not have the hash stored with it).
Manifest read_manifest(const std::string &snapshot);

/// Read a stored shape back; throws Error (XX001) where it is missing or does not have the digest that names it.
Shape read_shape(const Digest &digest);

} // namespace snapback
