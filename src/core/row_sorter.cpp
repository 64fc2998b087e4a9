#include "core/row_sorter.hpp"

#include <algorithm>
#include <cstring>

#include "core/bytes.hpp"
#include "core/slices.hpp"

namespace snapback {

namespace {

/// The key's first eight bytes as a number with the same sort order.
std::uint64_t prefix_of(std::string_view key) {
    std::uint64_t prefix = 0;
    for (std::size_t i = 0; i < 8; i++)
        prefix = prefix << 8 | (i < key.size() ? static_cast<unsigned char>(key[i]) : 0);
    return prefix;
}

constexpr std::size_t write_size = 256 * 1024;
// Total size of the read buffers of all runs.
constexpr std::size_t merge_memory = 16 * 1024 * 1024;
constexpr std::size_t smallest_buffer = 16 * 1024;
constexpr std::size_t header_size = 12;

} // namespace

bool RowSorter::before(const Entry &a, const Entry &b) const {
    if (a.group != b.group)
        return a.group < b.group;
    if (a.prefix != b.prefix)
        return a.prefix < b.prefix;
    return key(a) < key(b);
}

void RowSorter::add(std::uint32_t group, std::string_view key, std::string_view row) {
    if (!entries_.empty() && arena_.size() + entries_.size() * sizeof(Entry) + key.size() + row.size() > memory_)
        spill();
    if (arena_.capacity() == 0)
        arena_.reserve(memory_); // reserves address space only; growing later would copy
    entries_.push_back({prefix_of(key), arena_.size(), group, static_cast<std::uint32_t>(key.size()),
                        static_cast<std::uint32_t>(row.size())});
    append_slices(arena_, key);
    append_slices(arena_, row);
}

void RowSorter::sort() {
    auto order = [this](const Entry &a, const Entry &b) { return before(a, b); };
    if (!std::is_sorted(entries_.begin(), entries_.end(), order))
        std::sort(entries_.begin(), entries_.end(), order);
}

/// Write the arena as a sorted run. Each entry: group, key size, row size (four bytes each, little-endian), key, row.
void RowSorter::spill() {
    sort();
    if (!file_)
        file_ = open_spill_();
    Run run{written_, written_};
    std::string buffer;
    buffer.reserve(write_size + 4096);
    auto flush = [&] {
        file_->append(buffer);
        written_ += buffer.size();
        buffer.clear();
    };
    for (const Entry &entry : entries_) {
        append_little_endian(buffer, entry.group, 4);
        append_little_endian(buffer, entry.key_size, 4);
        append_little_endian(buffer, entry.row_size, 4);
        append_slices(buffer, key(entry));
        append_slices(buffer, row(entry));
        if (buffer.size() >= write_size)
            flush();
    }
    flush();
    run.end = written_;
    runs_.push_back(run);
    arena_.clear();
    entries_.clear();
}

/// Reads one run in order through a buffer.
class RowSorter::RunReader {
public:
    RunReader(SpillFile &file, Run run, std::size_t buffer_size) : file_(file), rest_(run), buffer_size_(buffer_size) {}

    /// Advance to the next row; false at the end. Views stay valid until the next call.
    bool next() {
        if (available() < header_size && !fill(header_size))
            return false;
        std::string_view header(buffer_.data() + at_, header_size);
        group = static_cast<std::uint32_t>(little_endian(header.substr(0, 4)));
        auto key_size = static_cast<std::size_t>(little_endian(header.substr(4, 4)));
        auto row_size = static_cast<std::size_t>(little_endian(header.substr(8, 4)));
        std::size_t size = header_size + key_size + row_size;
        if (available() < size)
            fill(size);
        key = {buffer_.data() + at_ + header_size, key_size};
        row = {buffer_.data() + at_ + header_size + key_size, row_size};
        at_ += size;
        return true;
    }

    std::uint32_t group = 0;
    std::string_view key;
    std::string_view row;

private:
    std::size_t available() const { return buffer_.size() - at_; }

    /// Make at least this many bytes available; false at the end of the run.
    bool fill(std::size_t needed) {
        buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at_));
        at_ = 0;
        std::uint64_t left = rest_.end - rest_.start;
        if (left == 0)
            return false;
        std::size_t have = buffer_.size();
        auto more = static_cast<std::size_t>(std::min<std::uint64_t>(left, std::max(buffer_size_, needed) - have));
        buffer_.resize(have + more);
        file_.read(rest_.start, buffer_.data() + have, more);
        rest_.start += more;
        return true;
    }

    SpillFile &file_;
    Run rest_;
    std::size_t buffer_size_;
    std::vector<char> buffer_;
    std::size_t at_ = 0;
};

void RowSorter::merge(const Visit &visit) {
    std::size_t buffer_size = std::max(smallest_buffer, merge_memory / runs_.size());
    std::vector<RunReader> readers;
    readers.reserve(runs_.size());
    for (Run run : runs_)
        readers.emplace_back(*file_, run, buffer_size);
    auto later = [](const RunReader *a, const RunReader *b) {
        return a->group != b->group ? a->group > b->group : a->key > b->key;
    };
    std::vector<RunReader *> heap;
    for (RunReader &reader : readers)
        if (reader.next())
            heap.push_back(&reader);
    std::make_heap(heap.begin(), heap.end(), later);
    while (!heap.empty()) {
        std::pop_heap(heap.begin(), heap.end(), later);
        RunReader *reader = heap.back();
        visit(reader->group, reader->key, reader->row);
        if (reader->next())
            std::push_heap(heap.begin(), heap.end(), later);
        else
            heap.pop_back();
    }
}

void RowSorter::drain(const Visit &visit) {
    if (runs_.empty()) {
        sort();
        for (const Entry &entry : entries_)
            visit(entry.group, key(entry), row(entry));
    } else {
        if (!entries_.empty())
            spill();
        std::vector<char>().swap(arena_);
        std::vector<Entry>().swap(entries_);
        merge(visit);
    }
    arena_.clear();
    entries_.clear();
    runs_.clear();
    written_ = 0;
    file_.reset();
}

} // namespace snapback
