#include "snapshot/basis.hpp"

#include <algorithm>

#include "postgres/exec/table_scan.hpp"
#include "postgres/spi/arguments.hpp"

extern "C" {
#include "access/transam.h"
#include "access/xlog.h"
#include "storage/procarray.h"
#include "utils/jsonb.h"
}

namespace snapback {

namespace {

/// Run a query that returns one text, with the active snapshot.
std::optional<std::string> read_text(const std::string &sql, std::initializer_list<Value> parameters) {
    std::optional<std::string> text;
    Query query;
    query.stream(sql, std::span<const Value>(parameters.begin(), parameters.size()), [&](TupleTableSlot *slot) {
        call([&] { slot_getallattrs(slot); });
        if (!slot->tts_isnull[0])
            text = string_from_varlena(slot->tts_values[0]);
    });
    return text;
}

/// The path of a table, with everything that a query along it depends on.
std::string path_as_text(const CommunityPath &path) {
    std::string text;
    for (const ForeignKey &key : path.keys) {
        text += quote_name(key.name) + " " + std::to_string(key.child_part) + " " + std::to_string(key.parent_part);
        for (const ForeignKey::Pair &pair : key.pairs)
            text += " " + quote_name(pair.child_column) + " " + std::to_string(pair.child_type) + " " +
                    quote_name(pair.parent_column) + " " + std::to_string(pair.parent_type) + " " +
                    std::to_string(pair.equals);
        text += ", ";
    }
    if (path.column.empty())
        return text;
    Oid type = call([&] { return get_atttype(path.end, get_attnum(path.end, path.column.c_str())); });
    return text + quote_name(path.column) + " " + std::to_string(type);
}

Value oid_array(std::span<const Oid> oids) {
    std::vector<std::string> texts;
    for (Oid oid : oids)
        texts.push_back(std::to_string(oid));
    return Value::text_array(texts);
}

std::uint64_t next_transaction() {
    return call([] { return U64FromFullTransactionId(ReadNextFullTransactionId()); });
}

} // namespace

std::string snapshot_taken() {
    return read_text("SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text", {}).value();
}

std::uint64_t oldest_unseen(const std::string &taken) {
    return std::stoull(taken); // up to the first colon
}

std::string written_since(const std::string &alias, std::uint64_t since) {
    std::uint64_t next = next_transaction();
    if (since > next || next - since >= std::uint64_t{1} << 31)
        return "true";
    // age() counts from an ID that is fixed in this transaction; IDs that were assigned since have a negative age.
    TransactionId zero = call([] { return GetStableLatestTransactionId(); });
    auto age = [zero](std::uint64_t id) {
        return std::to_string(static_cast<std::int32_t>(zero - static_cast<TransactionId>(id)));
    };
    return "pg_catalog.age(" + alias + ".xmin) BETWEEN " + age(next - 1) + " AND " + age(since);
}

std::string table_fingerprint(const ProtectedTable &table, Oid relation) {
    ProtectedTable at = table;
    at.relation = relation;
    CommunityPath path = trace_path(at);
    std::vector<Oid> parents;
    std::vector<Oid> keys_of;
    std::vector<std::string> key_names;
    for (const ForeignKey &key : path.keys) {
        parents.push_back(key.parent);
        keys_of.push_back(key.child_part);
        key_names.push_back(key.name);
    }
    return read_text("SELECT snapback_internal.catalog_fingerprint($1, $2, $3, $4, $5::pg_catalog.oid[],"
                     " $6::pg_catalog.oid[], $7)::pg_catalog.text",
                     {Value::integer(table.id), Value::regclass(relation),
                      Value::text(std::to_string(GetSystemIdentifier())), Value::text(path_as_text(path)),
                      oid_array(parents), oid_array(keys_of), Value::text_array(key_names)})
        .value();
}

std::optional<std::string> basis_fault(const std::string &taken, const std::string &at_basis, const std::string &now) {
    return read_text("SELECT snapback_internal.basis_fault($1::pg_catalog.pg_snapshot, $2::pg_catalog.jsonb,"
                     " $3::pg_catalog.jsonb)",
                     {Value::text(taken), Value::text(at_basis), Value::text(now)});
}

bool Basis::holds(std::int32_t table, const std::string &fingerprint_now) const {
    auto then = fingerprints.find(table);
    return then != fingerprints.end() && !basis_fault(taken, then->second, fingerprint_now);
}

std::map<std::string, Basis> read_bases(const std::vector<std::string> &ids) {
    std::map<std::string, Basis> bases;
    Query query;
    for (Row row :
         query.run("SELECT b.id, b.taken, t.id, t.fingerprint FROM snapback.basis b CROSS JOIN LATERAL ROWS FROM "
                   "(pg_catalog.unnest(b.table_ids), pg_catalog.unnest(b.fingerprints)) AS t(id, fingerprint)"
                   " WHERE b.id = ANY ($1)",
                   {Value::uuid_array(ids)})) {
        Basis &basis = bases[row.text(1)];
        basis.taken = row.text(2);
        basis.fingerprints.emplace(row.integer(3), row.text(4));
    }
    return bases;
}

SNAPBACK_FUNCTION(snapback_table_fingerprint) {
    ProtectedTable table = protected_table(PG_GETARG_INT32(0));
    std::string fingerprint = table_fingerprint(table, relation_of(table, text_argument(fcinfo, 1)));
    return call([&] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(fingerprint.c_str())); });
}

SNAPBACK_FUNCTION(snapback_next_transaction) {
    return UInt64GetDatum(next_transaction());
}

SNAPBACK_FUNCTION(snapback_oldest_transaction) {
    std::uint64_t next = next_transaction();
    TransactionId oldest = call([] { return GetOldestNonRemovableTransactionId(nullptr); });
    return UInt64GetDatum(next - (static_cast<TransactionId>(next) - oldest)); // the distance is less than 2^31
}

SNAPBACK_FUNCTION(snapback_oldest_basis) {
    std::optional<std::uint64_t> oldest;
    scan_uncommitted(own_table("basis"), [&](const ScannedRow &row) {
        std::uint64_t xmin = oldest_unseen(row.text(2));
        oldest = std::min(oldest.value_or(xmin), xmin);
    });
    if (!oldest)
        PG_RETURN_NULL();
    return UInt64GetDatum(*oldest);
}

SNAPBACK_FUNCTION(snapback_written_since) {
    std::uint64_t since = DatumGetUInt64(PG_GETARG_DATUM(1));
    return Value::text(written_since(text_argument(fcinfo, 0), since)).datum;
}

} // namespace snapback
