// The rows of a table in a snapshot: its base merged with the changes since.
#include "snapshot/table_contents.hpp"

namespace snapback {

TableContents::TableContents(const ManifestTable &table, const Shape &shape, ChunkReader &chunks)
    : table_(table), keys_(shape), chunks_(chunks) {
    first_changes_.assign(size() + 1, changes().size());
    if (changes().empty()) // the tables of format version 1 have no bounds
        return;
    std::vector<std::string_view> bounds = table.chunk_bounds();
    first_changes_.front() = 0;
    for (std::size_t i = 1; i < size(); i++) {
        auto first = std::partition_point(changes().begin(), changes().end(),
                                          [&](const Change &change) { return change.key < bounds[i]; });
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

} // namespace snapback
