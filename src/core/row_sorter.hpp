#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace snapback {

/// A temporary file: written sequentially once, then read at any offset.
class SpillFile {
public:
    virtual ~SpillFile() = default;
    virtual void append(std::string_view bytes) = 0;
    virtual void read(std::uint64_t offset, char *into, std::size_t length) = 0;
};

/// Sorts rows by group and key in bounded memory.
///
/// The input contains rows of many communities in scan order. Rows are collected in one arena. A full arena is sorted
/// and written to the spill file as a run; the end of the sort merges the runs (external merge sort). Keys compare as
/// unsigned bytes, independent of any collation.
class RowSorter {
public:
    using OpenSpill = std::function<std::unique_ptr<SpillFile>()>;
    using Visit = std::function<void(std::uint32_t group, std::string_view key, std::string_view row)>;

    RowSorter(std::size_t memory, OpenSpill open_spill) : memory_(memory), open_spill_(std::move(open_spill)) {}
    void add(std::uint32_t group, std::string_view key, std::string_view row);
    /// Visit all rows in order and remove them.
    void drain(const Visit &visit);

private:
    struct Entry {
        std::uint64_t prefix; // the key's first eight bytes; most comparisons need no more
        std::uint64_t offset;
        std::uint32_t group;
        std::uint32_t key_size;
        std::uint32_t row_size;
    };
    struct Run {
        std::uint64_t start;
        std::uint64_t end;
    };
    class RunReader;

    std::string_view key(const Entry &entry) const { return {arena_.data() + entry.offset, entry.key_size}; }
    std::string_view row(const Entry &entry) const {
        return {arena_.data() + entry.offset + entry.key_size, entry.row_size};
    }
    bool before(const Entry &a, const Entry &b) const;
    void sort();
    void spill();
    void merge(const Visit &visit);

    std::size_t memory_;
    OpenSpill open_spill_;
    std::vector<char> arena_;
    std::vector<Entry> entries_;
    std::unique_ptr<SpillFile> file_;
    std::uint64_t written_ = 0;
    std::vector<Run> runs_;
};

} // namespace snapback
