// The rows of a table in a snapshot: its base merged with the changes since.
#include "snapshot/table_contents.hpp"

#include "core/chunk.hpp"

namespace snapback {

TableContents::TableContents(const ManifestTable &table, const Shape &shape, ChunkReader &chunks)
    : table_(table), keys_(shape), chunks_(chunks) {
    first_changes_.assign(size() + 1, changes().size());
    if (table.chunk_count() > 1 && table.bounds.empty() && changes().empty())
        return; // format version 1
    bounds_ = table.chunk_bounds();
    first_changes_.front() = 0;
    for (std::size_t i = 1; i < size(); i++) {
        auto first = std::partition_point(changes().begin(), changes().end(),
                                          [&](const Change &change) { return change.key < bounds_[i]; });
        first_changes_[i] = static_cast<std::size_t>(first - changes().begin());
    }
}

std::span<const Change> TableContents::changes_in(std::size_t chunk) const {
    return changes().subspan(first_changes_[chunk], first_changes_[chunk + 1] - first_changes_[chunk]);
}

std::optional<Digest> TableContents::digest(std::size_t chunk) const {
    if (!changes_in(chunk).empty())
        return std::nullopt;
    return table_.chunk(chunk);
}

std::vector<std::optional<Digest>> TableContents::digests() const {
    std::vector<std::optional<Digest>> all;
    for (std::size_t i = 0; i < size(); i++)
        all.push_back(digest(i));
    return all;
}

std::string TableContents::content(std::size_t chunk) {
    std::string stored = chunk < table_.chunk_count() ? chunks_.get(table_.chunk(chunk)) : std::string();
    std::span<const Change> changes = changes_in(chunk);
    return changes.empty() ? stored : apply_changes(stored, keys_, changes);
}

std::int64_t TableContents::count() {
    std::int64_t rows = table_.rows;
    auto count_in = [](std::string_view chunk) {
        std::int64_t count = 0;
        for_each_row(chunk, [&](std::string_view) { count++; });
        return count;
    };
    for (std::size_t i = 0; i < size(); i++) {
        if (changes_in(i).empty())
            continue;
        if (i < table_.chunk_count())
            rows -= count_in(chunks_.get(table_.chunk(i)));
        rows += count_in(content(i));
    }
    return rows;
}

std::size_t TableContents::place_of(std::string_view key) const {
    auto next = std::ranges::upper_bound(bounds_, key);
    return next == bounds_.begin() ? 0 : static_cast<std::size_t>(next - bounds_.begin()) - 1;
}

std::optional<std::string_view> RowLookup::find(std::string_view key) {
    if (contents_.size() == 0)
        return std::nullopt;
    if (std::size_t place = contents_.place_of(key); place != chunk_) {
        content_ = contents_.content(place);
        rows_.clear();
        for_each_row(content_, [&](std::string_view row) { rows_.push_back(row); });
        chunk_ = place;
        at_ = 0;
        key_.clear();
    }
    for (; at_ < rows_.size(); at_++, key_.clear()) {
        if (key_.empty())
            keys_.read(rows_[at_], key_);
        if (key_ >= key)
            return key_ == key ? std::optional(rows_[at_]) : std::nullopt;
    }
    return std::nullopt;
}

} // namespace snapback
