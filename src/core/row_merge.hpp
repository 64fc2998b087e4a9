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

/// Compares a table's rows as they were with its rows as they are, both cut into chunks in the order of their keys, and
/// hands on those that are not the same bytes on both sides (a merge of two sorted runs). Chunks that both sides have
/// are skipped by their digests, and their content is asked for only where it came up before that was known.
class RowMerge {
public:
    /// One side's rows.
    struct Then {
        std::vector<Digest> chunks;
        std::function<std::string(const Digest &chunk)> content;
    };
    using Visit = std::function<void(std::string_view row)>;

    /// `columns` is how many fields a row has, `key` the order of both sides.
    RowMerge(Then then, std::size_t columns, std::vector<KeyPart> key, Visit only_then, Visit only_now);
    /// Go on with the next chunk of the rows as they are.
    void add(const Digest &chunk, const std::function<std::string()> &content);
    /// Hand on what is left of the rows as they were.
    void finish();
    /// How many rows were handed on from both sides, with the same bytes as their key.
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
    std::unordered_map<Digest, std::size_t> places_; // of the chunks then
    std::size_t columns_;
    std::vector<KeyPart> key_parts_;
    Visit only_then_;
    Visit only_now_;

    std::size_t next_ = 0; // the chunk then that is opened next
    std::string content_;  // the chunk then that is open, and its rows
    std::vector<std::string_view> rows_;
    std::size_t at_ = 0; // the row of it that comes next
    std::string key_;    // that row's key; empty until it is asked for
    std::string now_key_;
    std::uint64_t pairs_ = 0;
    std::vector<std::optional<std::string_view>> fields_;
};

} // namespace snapback
