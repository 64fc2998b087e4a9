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

/// A running capture in the calling transaction. It reads one table after another under the active snapshot, which must
/// also be active in the constructor.
class Capture {
public:
    explicit Capture(CaptureSpec spec);
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
    /// One manifest per community, in the order of the spec's communities.
    const std::vector<Manifest> &manifests() const { return manifests_; }
    /// Store the manifests, which completes the snapshots, and return them.
    std::vector<Manifest> finish();

private:
    void add_shared(const ProtectedTable &table, const RowReader &further);
    void add_own(const ProtectedTable &table);
    void store_rows(const ProtectedTable &table, const Digest &shape, std::uint32_t first, std::uint32_t last);
    Digest remember(const Shape &shape);

    CaptureSpec spec_;
    RowSorter sorter_;
    ChunkWriter chunks_;
    std::vector<Manifest> manifests_;
    std::map<Digest, Shape> shapes_;
};

/// Capture every protected table of these communities under one MVCC snapshot in the calling transaction. Store new
/// chunks and return the manifests in the order of the communities.
std::vector<Manifest> capture(CaptureSpec spec);

} // namespace snapback
