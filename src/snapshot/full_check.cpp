// Checks captures of changes: live rows, read in full → sorted → chunks → compared with base and deltas.
#include "snapshot/full_check.hpp"

#include "core/chunk.hpp"
#include "core/row_merge.hpp"
#include "postgres/spi/spill_file.hpp"
#include "settings/settings.hpp"
#include "snapshot/table_contents.hpp"

namespace snapback {

namespace {

/// Compares the rows of one table and community, which are added in key order.
class Comparison {
public:
    Comparison(const Manifest &manifest, const CapturedTables::Table &table)
        : chunks_(manifest.community), then_(*manifest.table(table.table.id), table.shape.stored, chunks_),
          merge_(
              {then_.digests(), [this](std::size_t chunk) { return then_.content(chunk); }},
              KeyReader(table.shape.stored), [this](std::string_view) { differences_++; },
              [this](std::string_view) { differences_++; }),
          cutter_([this](std::string &&content, std::uint32_t) {
              merge_.add(sha256(content), [&] { return std::move(content); });
          }) {}
    void add(std::string_view key, std::string_view row) { cutter_.add(key, row); }
    /// Return the number of rows that are on one side only; a row that differs counts twice.
    std::int64_t finish() {
        cutter_.finish();
        merge_.finish();
        return differences_;
    }

private:
    ChunkReader chunks_;
    TableContents then_;
    RowMerge merge_;
    ChunkCutter cutter_;
    std::int64_t differences_ = 0;
};

std::vector<std::string> bases_of(const std::vector<Manifest> &manifests) {
    std::vector<std::string> bases;
    for (const Manifest &manifest : manifests)
        bases.push_back(manifest.base->id);
    return bases;
}

} // namespace

FullCheck::FullCheck(const std::vector<Manifest> &manifests, const CapturedTables &tables)
    : tables_(tables), sorter_(settings().capture_memory(), open_temporary_file) {
    for (const Manifest &manifest : manifests) {
        manifests_.push_back(read_manifest(manifest.id));
        communities_.push_back(manifest.community);
    }
}

void FullCheck::check(const CapturedTables::Table &table) {
    read_live_rows(
        table.table, table.shape, communities_,
        [&](std::uint32_t community, std::string_view key, std::string_view row) { sorter_.add(community, key, row); });
    std::size_t current = 0;
    std::optional<Comparison> comparison;
    comparison.emplace(manifests_[current], table);
    auto finish = [&] {
        if (std::int64_t rows = comparison->finish())
            record(manifests_[current], table, rows);
    };
    // Communities without rows are compared as well.
    auto advance_to = [&](std::size_t community) {
        while (current < community) {
            finish();
            comparison.emplace(manifests_[++current], table);
        }
    };
    sorter_.drain([&](std::uint32_t community, std::string_view key, std::string_view row) {
        advance_to(community);
        comparison->add(key, row);
    });
    advance_to(manifests_.size() - 1);
    finish();
}

void FullCheck::record(const Manifest &manifest, const CapturedTables::Table &table, std::int64_t rows) {
    different_.insert(manifest.id);
    Query query;
    query.run(
        "INSERT INTO snapback.capture_difference (community, relation, rows, captured_at) VALUES ($1, $2, $3, $4)",
        {Value::text(manifest.community), Value::text(table.shape.name), Value::bigint(rows),
         Value::timestamptz(manifest.captured_at)});
}

std::set<std::string> FullCheck::run() {
    for (const CapturedTables::Table &table : tables_.all())
        check(table);
    Query query;
    query.run("UPDATE snapback.base SET checked_at = $2 WHERE id = ANY ($1)",
              {Value::uuid_array(bases_of(manifests_)), Value::timestamptz(manifests_.front().captured_at)});
    return different_;
}

std::vector<std::vector<Manifest>> due_for_check(const std::vector<Manifest> &manifests) {
    std::vector<std::vector<Manifest>> due;
    if (manifests.empty() || settings().full_check_interval_seconds == 0)
        return due;
    Query query;
    std::set<std::string> bases;
    for (Row row :
         query.run("SELECT b.id FROM snapback.base b WHERE b.id = ANY ($1) AND b.checked_at + "
                   "pg_catalog.make_interval(secs =>"
                   " $2 * (0.75 + (pg_catalog.hashtext(b.id::pg_catalog.text) & 255) / 512.0)) <= $3",
                   {Value::uuid_array(bases_of(manifests)), Value::integer(settings().full_check_interval_seconds),
                    Value::timestamptz(manifests.front().captured_at)}))
        bases.insert(row.text(1));
    std::size_t bytes = 0; // of the last group
    for (const Manifest &manifest : manifests) {
        if (!bases.contains(manifest.base->id))
            continue;
        bytes += static_cast<std::size_t>(manifest.delta_bytes);
        if (due.empty() || bytes > settings().capture_memory()) {
            due.emplace_back();
            bytes = static_cast<std::size_t>(manifest.delta_bytes);
        }
        due.back().push_back(manifest);
    }
    return due;
}

} // namespace snapback
