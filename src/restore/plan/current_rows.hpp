#pragma once
#include "catalog/relation_shape.hpp"
#include "snapshot/capture.hpp"
#include "snapshot/live_rows.hpp"

namespace snapback {

/// Where a plan finds a community's rows as they are now: as the chunks that a capture makes of them.
class CurrentRows {
public:
    /// Hears of one chunk; its content is made only where it is asked for, once.
    using Visitor = std::function<void(const Digest &digest, const std::function<std::string()> &content)>;

    CurrentRows() = default;
    virtual ~CurrentRows() = default;
    CurrentRows(const CurrentRows &) = delete;
    CurrentRows &operator=(const CurrentRows &) = delete;
    /// Go through one table's chunks, in order; return how many rows they hold.
    virtual std::uint64_t visit(const ProtectedTable &table, const RelationShape &live, const Visitor &visitor) = 0;
    /// Whether what is read may be written next.
    virtual bool are_to_be_written() const = 0;
    /// Include these rows in the next visit, which is of the table that was visited last.
    void include_in_next_visit(RowReader orphans) { orphans_ = std::move(orphans); }

protected:
    RowReader orphans_;
};

/// Reads them, and keeps nothing: for a preview, and for the check after a restore.
class LiveRows : public CurrentRows {
public:
    /// By hash: read each table of a path once, where the planner knows too little of their sizes to choose.
    explicit LiveRows(std::string community, bool by_hash = false)
        : community_(std::move(community)), by_hash_(by_hash) {}
    std::uint64_t visit(const ProtectedTable &table, const RelationShape &live, const Visitor &visitor) override;
    bool are_to_be_written() const override { return false; }

private:
    std::string community_;
    bool by_hash_;
};

/// Captures them on the way into a before_restore snapshot, so that they are read once for both. It holds the tables
/// that the plan looked at, which are all that the restore can change. Each is read under a snapshot of its own; the
/// community's lock makes one instant of them.
class BeforeRestore : public CurrentRows {
public:
    BeforeRestore(const std::string &community, const std::string &restore);
    std::uint64_t visit(const ProtectedTable &table, const RelationShape &live, const Visitor &visitor) override;
    bool are_to_be_written() const override { return true; }
    /// Store the snapshot; return its id.
    std::string finish() { return capture_.finish().front().id; }

private:
    Capture capture_;
    ChunkReader chunks_;
};

} // namespace snapback
