#pragma once
#include "catalog/community_path.hpp"
#include "core/row_sorter.hpp"
#include "snapshot/chunk_store.hpp"
#include "snapshot/live_rows.hpp"
#include "snapshot/manifest.hpp"

namespace snapback {

/// The parameters of a capture.
struct CaptureSpec {
    std::vector<std::string> communities;
    std::string kind; // scheduled, manual, before_restore
    std::optional<std::string> label;
    TimestampTz captured_at = 0;
};

/// The manifests of new snapshots, in the order of the communities, without contents.
std::vector<Manifest> new_manifests(const CaptureSpec &spec);

/// A running capture in the calling transaction. It reads one table after another under the active snapshot, which must
/// also be active in the constructor.
class Capture {
public:
    explicit Capture(std::vector<Manifest> heads);
    Capture(const Capture &) = delete;
    Capture &operator=(const Capture &) = delete;

    /// Capture the rows of the communities in one protected table.
    void add(const ProtectedTable &table) { add(table, nullptr); }
    /// The same, plus the rows of the reader.
    void add(const ProtectedTable &table, const RowReader &further);
    /// Remove the table that was added last.
    void drop_last();
    /// Store pending chunks. The manifests then contain every chunk of the added tables.
    void flush() { chunks_.flush(); }
    /// One manifest per community, in the order of the heads.
    const std::vector<Manifest> &manifests() const { return manifests_; }
    /// Store what was captured as bases, and return the manifests, which are not stored.
    std::vector<Manifest> finish();

private:
    void add_shared(const ProtectedTable &table, const RowReader &further);
    void add_own(const ProtectedTable &table);
    void store_rows(const ProtectedTable &table, const Digest &shape, std::uint32_t first, std::uint32_t last);
    Digest remember(const Shape &shape);

    std::vector<Manifest> manifests_;
    std::vector<std::string> communities_;
    RowSorter sorter_;
    ChunkWriter chunks_;
    std::map<Digest, Shape> shapes_;
};

/// Capture every protected table of these communities under one MVCC snapshot, store what is new and return the IDs of
/// the snapshots, in the same order. All of it is part of the calling transaction.
std::vector<std::string> capture(CaptureSpec spec);

} // namespace snapback
