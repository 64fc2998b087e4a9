#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/digest.hpp"
#include "core/sortable_key.hpp"

namespace snapback {

/// Compares a table's rows in a snapshot (then) with its current rows (now), both cut into chunks in key order. Reports
/// the rows that are not byte-for-byte equal on both sides (a merge of two sorted runs). Chunks that both sides have
/// are skipped by their digests. Chunk content is fetched only when needed.
class RowMerge {
public:
    /// The rows of the snapshot, as chunks in order.
    struct Then {
        std::vector<std::optional<Digest>> chunks; // nothing: the digest is not known
        std::function<std::string(std::size_t chunk)> content;
    };
    using Visit = std::function<void(std::string_view row)>;

    /// `keys` reads the keys of both sides, which are in their order.
    RowMerge(Then then, KeyReader keys, Visit only_then, Visit only_now);
    /// Merge the next chunk of current rows.
    void add(const Digest &chunk, const std::function<std::string()> &content);
    /// Report the remaining rows of the snapshot.
    void finish();
    /// The number of rows reported from both sides with an equal key.
    std::uint64_t pairs() const { return pairs_; }

private:
    bool pass(const Digest &chunk);
    void compare(std::string_view now);
    bool has_row();
    void step();
    void open(std::size_t chunk);
    void pass_rows();
    void read_key(std::string_view row, std::string &key);

    Then then_;
    std::unordered_map<Digest, std::size_t> places_; // of the snapshot's chunks
    KeyReader keys_;
    Visit only_then_;
    Visit only_now_;

    std::size_t next_ = 0; // next chunk of the snapshot to open
    std::string content_;  // the open chunk of the snapshot, and its rows
    std::vector<std::string_view> rows_;
    std::size_t at_ = 0; // next row of the open chunk
    std::string key_;    // key of that row; empty until needed
    std::string now_key_;
    std::uint64_t pairs_ = 0;
};

} // namespace snapback
