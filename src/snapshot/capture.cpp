// Capture: live rows under one MVCC snapshot → sorted by community and key → chunks → store.
#include "snapshot/capture.hpp"

#include <algorithm>
#include <set>

#include "catalog/column_names.hpp"
#include "catalog/directory.hpp"
#include "core/chunk.hpp"
#include "postgres/exec/snapshot_scope.hpp"
#include "postgres/spi/spill_file.hpp"
#include "settings/settings.hpp"
#include "snapshot/full_check.hpp"

extern "C" {
#include "utils/uuid.h"
}

namespace snapback {

namespace {

std::string new_uuid() {
    return text_from_datum(call([] {
                               CHECK_FOR_INTERRUPTS();
                               return DirectFunctionCall1(gen_random_uuid, 0);
                           }),
                           UUIDOID);
}

/// Throw Error (42704) if a shared protected table was dropped.
void require_presence(const ProtectedTable &table) {
    if (!table.relation_name.empty() ||
        call([&] { return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(table.relation)); }))
        return;
    Query query;
    Rows rows = query.run("SELECT schema_name, table_name FROM snapback_internal.last_captured_name($1)",
                          {Value::integer(table.id)});
    std::string oid = std::to_string(table.relation);
    std::string name = rows[0].is_null(1) ? "the relation with OID " + oid
                                          : quote_name(rows[0].text(1)) + "." + quote_name(rows[0].text(2));
    throw Error(sqlstate::undefined_object, name + " was dropped but is still protected")
        .with_hint("Call snapback.protect() for its replacement, or snapback.unprotect(" + oid + "::regclass).");
}

/// The names of the communities in the directory, for display. A capture does not fail if they cannot be read.
std::map<std::string, std::string> names_if_known(const std::vector<std::string> &communities) {
    std::map<std::string, std::string> names;
    std::optional<UndoneError> error = attempt([&] { names = community_names(communities); });
    if (error && error->raised_by_postgres && !error->is_refusal())
        error->raise();
    return error ? std::map<std::string, std::string>() : names;
}

} // namespace

std::vector<Manifest> new_manifests(const CaptureSpec &spec) {
    std::vector<std::optional<std::string>> identities = identities_of(spec.communities);
    std::map<std::string, std::string> names = names_if_known(spec.communities);
    std::vector<Manifest> manifests;
    for (std::size_t i = 0; i < spec.communities.size(); i++)
        manifests.push_back({new_uuid(),
                             spec.communities[i],
                             std::move(identities[i]),
                             spec.captured_at,
                             spec.kind,
                             spec.label,
                             {},
                             names[spec.communities[i]]});
    return manifests;
}

namespace {

std::vector<std::string> communities_of(const std::vector<Manifest> &manifests) {
    std::vector<std::string> communities;
    for (const Manifest &manifest : manifests)
        communities.push_back(manifest.community);
    return communities;
}

} // namespace

Capture::Capture(std::vector<Manifest> heads)
    : manifests_(std::move(heads)), communities_(communities_of(manifests_)),
      sorter_(settings().capture_memory(), open_temporary_file),
      chunks_(communities_, [this](std::uint32_t community, std::uint32_t table, const Digest &digest) {
          manifests_[community].tables[table].chunks.append(digest.view());
      }) {}

Digest Capture::remember(const Shape &shape) {
    Digest digest = sha256(shape.to_text());
    shapes_.emplace(digest, shape);
    return digest;
}

/// Drain the sorter into the manifests of communities [first, last). Each manifest gets an entry, possibly empty.
void Capture::store_rows(const ProtectedTable &table, const Digest &shape, std::uint32_t first, std::uint32_t last) {
    call([] { CHECK_FOR_INTERRUPTS(); });
    for (std::uint32_t i = first; i < last; i++)
        manifests_[i].tables.push_back({table.id, shape, 0, 0, {}});
    std::uint32_t current = first;
    ChunkCutter cutter([&](std::string &&content, std::uint32_t rows) {
        std::vector<ManifestTable> &tables = manifests_[current].tables;
        tables.back().rows += rows;
        tables.back().bytes += static_cast<std::int64_t>(content.size());
        if (tables.back().rows > rows) {
            append_varint(tables.back().bounds, cutter.bound().size());
            tables.back().bounds += cutter.bound();
        }
        chunks_.put(current, static_cast<std::uint32_t>(tables.size() - 1), std::move(content));
    });
    sorter_.drain([&](std::uint32_t community, std::string_view key, std::string_view row) {
        if (community != current) {
            cutter.finish();
            current = community;
        }
        cutter.add(key, row);
    });
    cutter.finish();
}

void Capture::add_shared(const ProtectedTable &table, const RowReader &further) {
    require_presence(table);
    note_columns(table.relation);
    RelationShape shape = relation_shape(table.relation);
    RowVisitor sort = [&](std::uint32_t community, std::string_view key, std::string_view row) {
        sorter_.add(community, key, row);
    };
    read_live_rows(table, shape, communities_, sort);
    if (further)
        further(sort);
    store_rows(table, remember(shape.stored), 0, static_cast<std::uint32_t>(communities_.size()));
}

/// Capture a table that each community has in its own schema.
void Capture::add_own(const ProtectedTable &table) {
    for (std::uint32_t i = 0; i < communities_.size(); i++) {
        Oid relation = relation_of(table, communities_[i]);
        note_columns(relation);
        RelationShape shape = relation_shape(relation);
        read_live_table(shape, i, [&](std::uint32_t community, std::string_view key, std::string_view row) {
            sorter_.add(community, key, row);
        });
        store_rows(table, remember(shape.stored), i, i + 1);
    }
}

void Capture::add(const ProtectedTable &table, const RowReader &further) {
    if (table.relation_name.empty())
        add_shared(table, further);
    else
        add_own(table);
}

void Capture::drop_last() {
    flush();
    for (Manifest &manifest : manifests_)
        manifest.tables.pop_back();
}

std::vector<Manifest> Capture::finish() {
    flush();
    for (Manifest &manifest : manifests_)
        std::sort(manifest.tables.begin(), manifest.tables.end(),
                  [](const ManifestTable &a, const ManifestTable &b) { return a.table_id < b.table_id; });
    write_bases(manifests_, shapes_);
    return std::move(manifests_);
}

namespace {

/// Lock a table so that all of its rows stay visible to the next snapshot.
void hold_rows_of(std::span<const std::string> communities, const ProtectedTable &table) {
    if (table.relation_name.empty())
        return hold_rows(table, table.relation);
    for (const std::string &community : communities)
        hold_rows(table, relation_of(table, community));
}

/// Remove snapshots that are to be captured in full instead. Their deltas are swept later.
void discard(const std::set<std::string> &ids) {
    if (ids.empty())
        return;
    Query query;
    query.run("WITH gone AS (DELETE FROM snapback.snapshot s WHERE s.id = ANY ($1) RETURNING s.community)"
              " INSERT INTO snapback.unswept (community) SELECT g.community FROM gone g ON CONFLICT DO NOTHING",
              {Value::uuid_array(std::vector<std::string>(ids.begin(), ids.end()))});
}

/// Capture communities by their changes, and check those that are due. Return the IDs of their snapshots.
std::set<std::string> capture_changes(const std::vector<Manifest> &heads, const CapturedTables &tables,
                                      const std::string &basis) {
    std::vector<Manifest> manifests = ChangesCapture(heads, tables).run();
    std::set<std::string> captured;
    for (Manifest &manifest : manifests) {
        manifest.basis = basis;
        captured.insert(manifest.id);
    }
    write_manifests(manifests);
    std::set<std::string> different;
    for (const std::vector<Manifest> &group : due_for_check(manifests))
        different.merge(FullCheck(group, tables).run());
    discard(different);
    std::erase_if(captured, [&](const std::string &id) { return different.contains(id); });
    return captured;
}

/// Capture the tables: by their changes where possible, otherwise in full.
void capture_tables(std::vector<Manifest> heads, const std::vector<ProtectedTable> &tables) {
    for (const ProtectedTable &table : tables) {
        require_presence(table);
        if (table.relation_name.empty())
            note_columns(table.relation);
    }
    CapturedTables captured(tables);
    std::optional<std::string> basis;
    if (captured.can_be_basis())
        basis = captured.store_basis();
    // A transaction with an older snapshot could miss that the previous snapshot has been deleted.
    if (basis && !call([] { return IsolationUsesXactSnapshot(); })) {
        std::set<std::string> done = capture_changes(heads, captured, *basis);
        std::erase_if(heads, [&](const Manifest &head) { return done.contains(head.id); });
    }
    if (heads.empty())
        return;
    Capture capture(std::move(heads));
    for (const ProtectedTable &table : tables)
        capture.add(table);
    std::vector<Manifest> manifests = capture.finish();
    for (Manifest &manifest : manifests)
        manifest.basis = basis;
    write_manifests(manifests);
}

/// A time not later than the next MVCC snapshot. A community that was missing from the directory after this time may be
/// another one now. Unique within a transaction.
TimestampTz time_of_next_snapshot() {
    if (!IsolationUsesXactSnapshot())
        return GetCurrentTimestamp();
    static TimestampTz begun = 0;
    static TimestampTz given = 0;
    TimestampTz start = GetCurrentTransactionStartTimestamp();
    given = start == begun ? given + 1 : start;
    begun = start;
    return given;
}

} // namespace

std::vector<std::string> capture(CaptureSpec spec) {
    hold_store();
    note_pending_renames();
    std::vector<ProtectedTable> tables = protected_tables();
    for (const ProtectedTable &table : tables)
        hold_rows_of(spec.communities, table);
    spec.captured_at = time_of_next_snapshot();
    SnapshotScope snapshot;
    std::vector<Manifest> heads = new_manifests(spec);
    std::vector<std::string> ids;
    for (const Manifest &head : heads)
        ids.push_back(head.id);
    capture_tables(std::move(heads), tables);
    return ids;
}

} // namespace snapback
