#pragma once
#include "catalog/relation_shape.hpp"
#include "snapshot/capture.hpp"
#include "snapshot/live_rows.hpp"

namespace snapback {

/// The source of a community's current rows for a plan, as the chunks of a capture.
class CurrentRows {
public:
    /// Receives a chunk; its content is created on the first request.
    using Visitor = std::function<void(const Digest &digest, const std::function<std::string()> &content)>;

    CurrentRows() = default;
    virtual ~CurrentRows() = default;
    CurrentRows(const CurrentRows &) = delete;
    CurrentRows &operator=(const CurrentRows &) = delete;
    /// Visit the chunks of one table in order; return the number of their rows.
    virtual std::uint64_t visit(const ProtectedTable &table, const RelationShape &live, const Visitor &visitor) = 0;
    /// Prepare to read only the changes of a table instead of a visit. Return false if it must be visited.
    virtual bool hold_for_changes(const ProtectedTable &table, const RelationShape &live) = 0;
    /// Whether the rows that are read may be written later.
    virtual bool are_to_be_written() const = 0;
    /// Include these rows in the next visit, which repeats the last table.
    void include_in_next_visit(RowReader orphans) { orphans_ = std::move(orphans); }

protected:
    RowReader orphans_;
};

/// Reads the rows without storing them, for a preview and for the check after a restore.
class LiveRows : public CurrentRows {
public:
    /// Use hash joins, which read each table of a path once; the planner may not know the sizes of the tables.
    explicit LiveRows(std::string community, bool by_hash = false)
        : community_(std::move(community)), by_hash_(by_hash) {}
    std::uint64_t visit(const ProtectedTable &table, const RelationShape &live, const Visitor &visitor) override;
    bool hold_for_changes(const ProtectedTable &table, const RelationShape &live) override;
    bool are_to_be_written() const override { return false; }

private:
    std::string community_;
    bool by_hash_;
};

/// Makes the before_restore snapshot: if possible, from the changes since the previous snapshot of the community.
/// Otherwise it captures the rows as the plan reads them, so that they are read once for both. The snapshot then
/// contains the tables that the plan reads, which are all that the restore can change. Each is read under its own MVCC
/// snapshot; the community's lock makes these consistent.
class BeforeRestore : public CurrentRows {
public:
    BeforeRestore(const std::string &community, const std::string &restore);
    std::uint64_t visit(const ProtectedTable &table, const RelationShape &live, const Visitor &visitor) override;
    bool hold_for_changes(const ProtectedTable &table, const RelationShape &live) override;
    bool are_to_be_written() const override { return true; }
    /// Store the snapshot; return its ID.
    std::string finish();

private:
    void capture_visited();
    void note_visit(const ProtectedTable &table);

    std::vector<Manifest> head_;
    std::optional<Manifest> changes_;     // the snapshot, if it was made from changes
    std::vector<ProtectedTable> visited_; // tables that were read and are captured only if that ends
    std::optional<Capture> capture_;      // otherwise
    LiveRows rows_;
    ChunkReader chunks_;
};

} // namespace snapback
