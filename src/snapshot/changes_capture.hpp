#pragma once
#include "snapshot/basis.hpp"
#include "snapshot/capture.hpp"

namespace snapback {

/// The protected tables as a capture finds them under the active snapshot.
class CapturedTables {
public:
    struct Table {
        ProtectedTable table;
        RelationShape shape;
        Digest shape_digest;
        std::string fingerprint;
    };

    explicit CapturedTables(const std::vector<ProtectedTable> &tables);
    /// Whether changes since the active snapshot can be found later: not if a table is in the schema of each community.
    bool can_be_basis() const { return can_be_basis_; }
    const std::vector<Table> &all() const { return tables_; }
    /// Store what a later capture needs to find the changes since the active snapshot; return its ID.
    std::string store_basis() const;

private:
    std::string taken_; // the active snapshot
    bool can_be_basis_ = true;
    std::vector<Table> tables_;
};

/// Captures communities by the changes since their previous snapshots, where these can be found.
class ChangesCapture {
public:
    /// `heads`: one manifest per community, without contents.
    ChangesCapture(const std::vector<Manifest> &heads, const CapturedTables &tables);

    /// Find and store the changes under the active snapshot. Return the manifests of the communities that are not to be
    /// read in full, with base and deltas.
    std::vector<Manifest> run();

    /// The same in two steps, for one community: find the changes and keep them in memory; then store them, which needs
    /// no snapshot and no locks of the tables.
    void find();
    std::vector<Manifest> store();

private:
    /// A community, and the snapshot that its changes are added to.
    struct Community {
        Manifest manifest;      // with the base and the deltas of that snapshot
        DeltaWriter changes;    // not stored yet
        std::size_t bytes;      // of deltas and changes
        std::size_t most_bytes; // beyond these, a new base is better, or memory is short
        bool read_in_full = false;

        void give_up();
    };
    void find_previous(const std::vector<Manifest> &heads);
    void find_changes(const CapturedTables::Table &table);
    std::size_t pending_bytes() const;
    void store_changes(ChunkWriter &writer);
    ChunkWriter writer();
    std::vector<Manifest> finish(ChunkWriter &chunks);

    const CapturedTables &tables_;
    std::vector<Community> communities_;
    std::vector<std::string> names_;   // of the communities
    std::vector<std::uint64_t> since_; // per community: the oldest transaction that the previous snapshot may not see
    RowSorter sorter_;
};

} // namespace snapback
