#include "postgres/oldest_snapshot.hpp"

#include <vector>

#include "postgres/invalidation.hpp"

extern "C" {
#include "access/transam.h"
#include "catalog/objectaccess.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/portal.h"
}

namespace snapback {

namespace {

enum class Reads {
    unknown, // the library was loaded later, or data of an earlier transaction is in use
    none,
    noted
};

/// Reads of the current transaction.
struct {
    Reads reads = Reads::unknown;
    SnapshotData snapshot{};            // only xmin, xmax and xip, for top-level transactions
    std::vector<TransactionId> running; // storage of xip
    std::uint64_t next = 0;             // next transaction ID when the snapshot was recorded
} oldest;

/// Read the next transaction ID without its lock, which would be contended. It was advanced before the snapshot's xmax
/// was read, so it is at least xmax.
std::uint64_t next_transaction() {
#if PG_VERSION_NUM >= 170000
    const volatile std::uint64_t &next = TransamVariables->nextXid.value;
#else
    const volatile std::uint64_t &next = ShmemVariableCache->nextXid.value;
#endif
    return next;
}

/// Maximum distance of transaction IDs that are compared in 32 bits.
constexpr std::uint64_t comparable = MaxTransactionId / 4;

/// Whether a snapshot is older than the recorded one. Of two snapshots with the same xmax, the older one has more
/// running transactions.
bool is_older(const SnapshotData &snapshot) {
    if (snapshot.xmax == oldest.snapshot.xmax)
        return snapshot.xcnt > oldest.snapshot.xcnt;
    return TransactionIdPrecedes(snapshot.xmax, oldest.snapshot.xmax) && next_transaction() - oldest.next < comparable;
}

void note(Snapshot snapshot) {
    if (oldest.reads == Reads::unknown || !snapshot || snapshot->snapshot_type != SNAPSHOT_MVCC)
        return;
    if (oldest.reads == Reads::noted && !is_older(*snapshot))
        return;
    oldest.running.assign(snapshot->xip, snapshot->xip + snapshot->xcnt);
    oldest.snapshot.xmin = snapshot->xmin;
    oldest.snapshot.xmax = snapshot->xmax;
    oldest.snapshot.xip = oldest.running.data();
    oldest.snapshot.xcnt = snapshot->xcnt;
    oldest.next = next_transaction();
    oldest.reads = Reads::noted;
}

void note_active_snapshot() {
    if (ActiveSnapshotSet())
        note(GetActiveSnapshot());
}

/// Whether the recorded snapshot does not see a transaction.
bool is_unseen(FullTransactionId transaction) {
    std::uint64_t id = U64FromFullTransactionId(transaction);
    return id >= oldest.next || oldest.next - id >= comparable ||
           XidInMVCCSnapshot(XidFromFullTransactionId(transaction), &oldest.snapshot);
}

/// Forget all reads at the end of the transaction. If a statement continues, as CALL does after a COMMIT, its variables
/// may still contain data from earlier reads.
void forget() noexcept {
    oldest.reads = ActivePortal ? Reads::unknown : Reads::none;
}

/// Whether a statement fetches from a WITH HOLD cursor of an earlier transaction, whose rows are old.
bool fetches_held_rows(const PlannedStmt &statement) {
    if (!IsA(statement.utilityStmt, FetchStmt))
        return false;
    Portal portal = GetPortalByName(reinterpret_cast<const FetchStmt *>(statement.utilityStmt)->portalname);
    return PortalIsValid(portal) && portal->createSubid == InvalidSubTransactionId;
}

/// Whether a statement can read rows: most statements that need a snapshot; never BEGIN, SET, LOCK or FETCH.
bool can_read(PlannedStmt &planned) {
    const Node *statement = planned.utilityStmt;
    return PlannedStmtRequiresSnapshot(&planned) && !IsA(statement, PrepareStmt) && !IsA(statement, DeallocateStmt) &&
           !IsA(statement, ClosePortalStmt) && !IsA(statement, DiscardStmt);
}

void note_utility(PlannedStmt &statement) {
    if (fetches_held_rows(statement))
        oldest.reads = Reads::unknown;
    else if (can_read(statement))
        note_active_snapshot();
}

ExecutorStart_hook_type next_executor_start = nullptr;
ProcessUtility_hook_type next_utility = nullptr;
object_access_hook_type next_object_access = nullptr;

void at_executor_start(QueryDesc *query, int flags) {
    entry([&] { note(query->snapshot); });
    (next_executor_start ? next_executor_start : standard_ExecutorStart)(query, flags);
}

void at_utility(PlannedStmt *statement, const char *text, bool read_only_tree, ProcessUtilityContext context,
                ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *receiver,
                QueryCompletion *completion) {
    entry([&] { note_utility(*statement); });
    (next_utility ? next_utility : standard_ProcessUtility)(statement, text, read_only_tree, context, parameters,
                                                            environment, receiver, completion);
}

/// Count a fast-path function call as a read, because the function may read tables without the executor. Ignore calls
/// inside queries, since planning calls functions too.
void at_object_access(ObjectAccessType access, Oid catalog, Oid object, int part, void *argument) {
    if (access == OAT_FUNCTION_EXECUTE && !debug_query_string)
        entry(note_active_snapshot);
    if (next_object_access)
        next_object_access(access, catalog, object, part, argument);
}

} // namespace

bool may_have_read_before(FullTransactionId committed) {
    return oldest.reads != Reads::noted || call([&] { return is_unseen(committed); });
}

void watch_snapshots() {
    oldest.reads = IsTransactionState() ? Reads::unknown : Reads::none;
    hear_of_transaction_ends(forget);
    next_executor_start = ExecutorStart_hook;
    ExecutorStart_hook = at_executor_start;
    next_utility = ProcessUtility_hook;
    ProcessUtility_hook = at_utility;
    next_object_access = object_access_hook;
    object_access_hook = at_object_access;
}

} // namespace snapback
