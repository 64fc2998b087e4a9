#include "core/row_merge.hpp"

#include "core/chunk.hpp"

namespace snapback {

RowMerge::RowMerge(Then then, KeyReader keys, Visit only_then, Visit only_now)
    : then_(std::move(then)), keys_(std::move(keys)), only_then_(std::move(only_then)), only_now_(std::move(only_now)) {
    for (std::size_t i = 0; i < then_.chunks.size(); i++)
        if (then_.chunks[i])
            places_.emplace(*then_.chunks[i], i);
}

void RowMerge::add(const Digest &chunk, const std::function<std::string()> &content) {
    if (pass(chunk))
        return;
    std::string rows = content();
    for_each_row(rows, [&](std::string_view row) { compare(row); });
}

/// Skip a chunk that both sides have, after all rows that precede it. Return false if the merge is already past it.
bool RowMerge::pass(const Digest &chunk) {
    auto place = places_.find(chunk);
    if (place == places_.end())
        return false;
    bool is_open = place->second + 1 == next_ && at_ == 0 && !rows_.empty();
    if (place->second < next_ && !is_open)
        return false;
    if (is_open) {
        rows_.clear();
        key_.clear();
        return true;
    }
    pass_rows();
    for (std::size_t before = next_; before < place->second; before++) {
        open(before);
        pass_rows();
    }
    next_ = place->second + 1;
    return true;
}

/// Report the remaining rows of the open chunk.
void RowMerge::pass_rows() {
    for (; at_ < rows_.size(); at_++)
        only_then_(rows_[at_]);
    rows_.clear();
    at_ = 0;
    key_.clear();
}

void RowMerge::open(std::size_t chunk) {
    rows_.clear();
    content_ = then_.content(chunk);
    for_each_row(content_, [&](std::string_view row) { rows_.push_back(row); });
    at_ = 0;
    key_.clear();
    next_ = chunk + 1;
}

/// Whether a row remains, in this or a later chunk.
bool RowMerge::has_row() {
    while (at_ == rows_.size()) {
        if (next_ == then_.chunks.size())
            return false;
        open(next_);
    }
    return true;
}

void RowMerge::step() {
    at_++;
    key_.clear();
}

/// Merge one current row into the snapshot's rows. Most rows have equal bytes, which are compared without the keys.
void RowMerge::compare(std::string_view now) {
    now_key_.clear();
    while (has_row()) {
        if (rows_[at_] == now) {
            step();
            return;
        }
        read_key(now, now_key_);
        read_key(rows_[at_], key_);
        if (key_ > now_key_)
            break;
        bool is_same_key = key_ == now_key_;
        only_then_(rows_[at_]);
        step();
        if (is_same_key) {
            pairs_++;
            break;
        }
    }
    only_now_(now);
}

/// Build a row's key, unless it is already built.
void RowMerge::read_key(std::string_view row, std::string &key) {
    if (key.empty())
        keys_.read(row, key);
}

void RowMerge::finish() {
    while (has_row())
        pass_rows();
}

} // namespace snapback
