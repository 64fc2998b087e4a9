#include "guard/restore_epoch.hpp"

#include <unordered_map>

#include "guard/community_lock.hpp"
#include "postgres/exec/earlier_reads.hpp"
#include "postgres/exec/invalidation.hpp"
#include "postgres/exec/oldest_snapshot.hpp"
#include "postgres/exec/running_at_commit.hpp"
#include "postgres/exec/table_scan.hpp"
#include "postgres/lock/heavy_lock.hpp"
#include "postgres/spi/arguments.hpp"
#include "postgres/spi/query.hpp"

extern "C" {
#include "access/transam.h"
}

namespace snapback {

namespace {

/// The last restore of a community.
struct Epoch {
    std::string community;
    FullTransactionId transaction; // the transaction that restored it
    std::uint64_t stale_in;        // number of this session's transaction that ran at its commit; 0: none
};
using Epochs = std::unordered_multimap<std::uint64_t, Epoch>; // by lock key of the community

/// This session's copy of snapback.restore_epoch. Changes are counted, so that a change during a reload is not lost.
struct Knowledge {
    Epochs epochs;
    Oid table = InvalidOid;
    std::uint64_t changes = 1;        // number of changes received
    std::uint64_t changes_loaded = 0; // value of `changes` before `epochs` was read
    std::uint64_t transaction = 1;    // number of the current transaction since the library was loaded
};
Knowledge known;

void note_change(Oid relation) noexcept {
    if (!OidIsValid(relation) || !OidIsValid(known.table) || relation == known.table)
        known.changes++;
}

void note_transaction_end() noexcept {
    known.transaction++;
}

Epoch read_epoch(const ScannedRow &row, const ListedBy &restores) {
    FullTransactionId transaction = FullTransactionIdFromU64(DatumGetUInt64(row.datum(2)));
    return {row.text(1), transaction, restores.includes(transaction) ? known.transaction : 0};
}

/// Reload the table until no change arrives meanwhile. A restore lists running transactions before it sends
/// invalidations.
void load_epochs() {
    while (known.changes_loaded != known.changes) {
        known.table = own_table("restore_epoch");
        std::uint64_t changes = known.changes;
        Epochs epochs;
        ListedBy restores = current_transaction_listed_by();
        if (OidIsValid(known.table))
            scan_latest(known.table, [&](const ScannedRow &row) {
                Epoch epoch = read_epoch(row, restores);
                std::uint64_t key = lock_key(epoch.community);
                epochs.emplace(key, std::move(epoch));
            });
        known.epochs = std::move(epochs);
        known.changes_loaded = changes;
    }
}

/// Whether a transaction ended after a snapshot was taken. Old transactions and those of other clusters count as
/// visible.
bool ended_after(FullTransactionId transaction, Snapshot snapshot) {
    std::uint64_t next = U64FromFullTransactionId(ReadNextFullTransactionId());
    std::uint64_t id = U64FromFullTransactionId(transaction);
    if (id >= next || next - id > MaxTransactionId / 4)
        return false;
    return call([&] { return XidInMVCCSnapshot(XidFromFullTransactionId(transaction), snapshot); });
}

[[noreturn]] void refuse(const std::string &community, const char *since) {
    throw Error(sqlstate::serialization_failure, "community \"" + community + "\" was restored after " + since)
        .with_detail("This transaction may have read data from before the restore.")
        .with_hint("Retry the transaction.");
}

void refuse_if_stale(const Epoch &epoch) {
    if (TransactionIdIsCurrentTransactionId(XidFromFullTransactionId(epoch.transaction)))
        return;
    if (ActiveSnapshotSet() && ended_after(epoch.transaction, GetActiveSnapshot()))
        refuse(epoch.community, "this statement's snapshot was taken");
    // A restore that waited for another one began earlier, but reads all its data after taking its lock.
    if (epoch.stale_in == known.transaction && may_have_read_before(epoch.transaction) &&
        !is_restored_here(epoch.community))
        refuse(epoch.community, "this transaction began");
}

} // namespace

void watch_restores() {
    hear_of_relations(note_change);
    hear_of_transaction_ends(note_transaction_end);
}

void find_earlier_reads(Oid written) {
    // A restore that is committed from now on is not seen by the statement under way, which has been noted.
    if (earlier_reads_are_in_doubt())
        settle_earlier_reads(current_transaction_listed_by().empty() || may_have_read_before_writing(written));
}

void refuse_stale_write(const WrittenCommunity &community) {
    load_epochs();
    auto [found, end] = known.epochs.equal_range(community.key());
    for (; found != end; ++found)
        if (found->second.community == community.name())
            refuse_if_stale(found->second);
}

void refuse_stale_write_to_any() {
    load_epochs();
    for (const auto &[key, epoch] : known.epochs)
        refuse_if_stale(epoch);
}

void advance_restore_epoch(const std::string &community) {
    list_running_at_commit();
    Query query;
    query.run("INSERT INTO snapback.restore_epoch AS e (community, xid, restored_at) "
              "VALUES ($1, pg_catalog.pg_current_xact_id(), pg_catalog.clock_timestamp()) "
              "ON CONFLICT (community) DO UPDATE SET xid = EXCLUDED.xid, restored_at = EXCLUDED.restored_at",
              {Value::text(community)});
    invalidate_relation(own_table("restore_epoch"));
}

} // namespace snapback

// Declared by test/modules/snapback_test only.
SNAPBACK_FUNCTION(snapback_advance_restore_epoch) {
    snapback::advance_restore_epoch(snapback::text_argument(fcinfo, 0));
    PG_RETURN_VOID();
}
