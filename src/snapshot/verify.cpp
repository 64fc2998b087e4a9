// Verification: reads all data of a snapshot and verifies its hashes.
#include "core/chunk.hpp"
#include "postgres/spi/arguments.hpp"
#include "postgres/spi/result_set.hpp"
#include "snapshot/chunk_store.hpp"
#include "snapshot/manifest.hpp"

namespace snapback {

namespace {

/// The snapshot in the argument, or all snapshots.
std::vector<std::string> chosen_snapshots(FunctionCallInfo fcinfo) {
    if (!PG_ARGISNULL(0))
        return {uuid_argument(fcinfo, 0)};
    Query query;
    std::vector<std::string> ids;
    for (Row row : query.run("SELECT id FROM snapback.snapshot ORDER BY captured_at, id"))
        ids.push_back(row.text(1));
    return ids;
}

/// Whether an error reports damage, found by the extension or by the server, or a storage form that cannot be read.
bool is_fault(const std::string &state) {
    return state.substr(0, 4) == "XX00" ? state != sqlstate::internal_error : state == sqlstate::feature_not_supported;
}

/// Reads snapshots and reports their faults.
class Verification {
public:
    explicit Verification(ResultSet &faults) : faults_(faults) {}

    void check(const std::string &snapshot) {
        snapshot_ = snapshot;
        relation_.reset();
        std::optional<Manifest> manifest;
        reporting([&] { manifest = read_manifest_of_base(snapshot); });
        if (!manifest)
            return;
        for (const ManifestTable &table : manifest->tables)
            check_table(*manifest, table);
        relation_.reset();
        reporting([&] { read_changes(*manifest); });
        for (const ManifestTable &table : manifest->tables)
            if (table.changes)
                check_changes(table);
    }

private:
    /// Run one step; a fault becomes a row of the result.
    void reporting(const std::function<void()> &step) {
        std::optional<UndoneError> error = attempt(step);
        if (!error)
            return;
        if (!is_fault(error->sqlstate))
            error->raise();
        faults_.add({Value::uuid(snapshot_), Value::text(relation_), Value::text(std::string_view(error->message))});
    }

    void check_table(const Manifest &manifest, const ManifestTable &table) {
        relation_ = "table " + std::to_string(table.table_id);
        std::optional<Shape> shape;
        reporting([&] {
            shape = read_shape(table.shape);
            relation_ = shape->schema + "." + shape->table;
        });
        std::int64_t rows = 0;
        std::int64_t bytes = 0;
        std::vector<std::optional<std::string_view>> fields;
        ChunkReader chunks(manifest.community);
        for (std::size_t i = 0; i < table.chunk_count(); i++)
            reporting([&] {
                std::string content = chunks.get(table.chunk(i));
                bytes += static_cast<std::int64_t>(content.size());
                for_each_row(content, [&](std::string_view row) {
                    rows++;
                    if (shape)
                        read_fields(row, shape->columns.size(), fields);
                });
            });
        reporting([&] {
            if (rows != table.rows || bytes != table.bytes)
                throw Error(sqlstate::data_corrupted, "found " + std::to_string(rows) + " rows and " +
                                                          std::to_string(bytes) + " bytes, but the manifest records " +
                                                          std::to_string(table.rows) + " rows and " +
                                                          std::to_string(table.bytes) + " bytes");
        });
    }

    /// Check that the changed rows can be read.
    void check_changes(const ManifestTable &table) {
        relation_ = "table " + std::to_string(table.table_id);
        reporting([&] {
            Shape shape = read_shape(table.shape);
            relation_ = shape.schema + "." + shape.table;
            std::vector<std::optional<std::string_view>> fields;
            for (const Change &change : table.changes->changes)
                if (!change.row.empty())
                    read_fields(change.row, shape.columns.size(), fields);
            (void)table.chunk_bounds();
        });
    }

    ResultSet &faults_;
    std::string snapshot_;
    std::optional<std::string> relation_;
};

} // namespace

SNAPBACK_FUNCTION(snapback_verify) {
    ResultSet faults(fcinfo);
    hold_store();
    Verification verification(faults);
    for (const std::string &snapshot : chosen_snapshots(fcinfo))
        verification.check(snapshot);
    PG_RETURN_NULL();
}

} // namespace snapback
