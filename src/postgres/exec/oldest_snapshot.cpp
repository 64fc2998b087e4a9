#include "postgres/exec/oldest_snapshot.hpp"

#include <vector>

#include "postgres/exec/earlier_reads.hpp"
#include "postgres/exec/invalidation.hpp"

extern "C" {
#include "access/transam.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "commands/proclang.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/fmgroids.h"
#include "utils/portal.h"
}

namespace snapback {

namespace {

/// The reads of the current transaction before its snapshots were recorded.
enum class Earlier {
    nothing,  // all its snapshots are recorded
    in_doubt, // the library was loaded within it; its locks may show reads
    unknown   // its locks do not show reads, or data of an earlier transaction is available
};

/// Reads of the current transaction.
struct {
    Earlier earlier = Earlier::unknown;
    bool noted = false;                 // whether a snapshot is recorded
    SnapshotData snapshot{};            // only its xmin, xmax and xip, which suffice for top-level transactions
    std::vector<TransactionId> running; // the array of xip
    std::uint64_t next = 0;             // the next transaction ID when it was recorded
} oldest;

/// Whether WITH HOLD cursors of an earlier transaction may be open. Functions can fetch from them unnoticed.
bool cursors_may_be_left = false;

/// Read the next transaction ID without its lock, which every query of all sessions would take. It is at least the xmax
/// of the snapshot, which was read after it had been increased.
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
    if (oldest.earlier == Earlier::unknown || !snapshot || snapshot->snapshot_type != SNAPSHOT_MVCC)
        return;
    if (oldest.noted && !is_older(*snapshot))
        return;
    oldest.running.assign(snapshot->xip, snapshot->xip + snapshot->xcnt);
    oldest.snapshot.xmin = snapshot->xmin;
    oldest.snapshot.xmax = snapshot->xmax;
    oldest.snapshot.xip = oldest.running.data();
    oldest.snapshot.xcnt = snapshot->xcnt;
    oldest.next = next_transaction();
    oldest.noted = true;
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
    oldest.earlier = ActivePortal ? Earlier::unknown : Earlier::nothing;
    oldest.noted = false;
}

/// Whether a statement fetches from a WITH HOLD cursor of an earlier transaction, whose rows are old.
bool fetches_held_rows(const PlannedStmt &statement) {
    if (!IsA(statement.utilityStmt, FetchStmt))
        return false;
    Portal portal = GetPortalByName(reinterpret_cast<const FetchStmt *>(statement.utilityStmt)->portalname);
    return PortalIsValid(portal) && portal->createSubid == InvalidSubTransactionId;
}

/// Whether a query reads rows of users: it opens a relation that is not a catalog, or a function may fetch from a
/// cursor of an earlier transaction. Queries of its functions are recorded separately.
bool reads_rows(const PlannedStmt &statement) {
    ListCell *cell = nullptr;
    foreach (cell, statement.relationOids)
        if (lfirst_oid(cell) >= FirstNormalObjectId)
            return true;
    return statement.commandType != CMD_SELECT || cursors_may_be_left;
}

/// Whether a statement needs a snapshot, but neither reads nor changes anything.
bool is_about_session(const Node *statement) {
    return IsA(statement, PrepareStmt) || IsA(statement, DeallocateStmt) || IsA(statement, ClosePortalStmt) ||
           IsA(statement, DiscardStmt);
}

/// Whether a utility statement can return rows itself; its queries and functions are recorded when they start. DDL
/// reads with locks that exclude restores until the transaction ends or rolls back to a savepoint.
bool can_read(PlannedStmt &planned) {
    const Node *statement = planned.utilityStmt;
    if (!PlannedStmtRequiresSnapshot(&planned) || is_about_session(statement))
        return false;
    if (IsA(statement, CopyStmt))
        return !reinterpret_cast<const CopyStmt *>(statement)->is_from || IsSubTransaction();
    if (IsA(statement, DoStmt) || IsA(statement, CallStmt))
        return cursors_may_be_left;
    return IsA(statement, VacuumStmt) || IsSubTransaction();
}

bool leaves_cursor(const Node *statement) {
    return IsA(statement, DeclareCursorStmt) &&
           (reinterpret_cast<const DeclareCursorStmt *>(statement)->options & CURSOR_OPT_HOLD);
}

bool closes_all_cursors(const Node *statement) {
    if (IsA(statement, ClosePortalStmt))
        return !reinterpret_cast<const ClosePortalStmt *>(statement)->portalname;
    return IsA(statement, DiscardStmt) && reinterpret_cast<const DiscardStmt *>(statement)->target == DISCARD_ALL;
}

void note_utility(PlannedStmt &statement) {
    if (fetches_held_rows(statement))
        oldest.earlier = Earlier::unknown;
    else if (can_read(statement))
        note_active_snapshot();
}

ExecutorStart_hook_type next_executor_start = nullptr;
ProcessUtility_hook_type next_utility = nullptr;
object_access_hook_type next_object_access = nullptr;

void at_executor_start(QueryDesc *query, int flags) {
    entry([&] {
        if (reads_rows(*query->plannedstmt))
            note(query->snapshot);
    });
    (next_executor_start ? next_executor_start : standard_ExecutorStart)(query, flags);
}

void at_utility(PlannedStmt *statement, const char *text, bool read_only_tree, ProcessUtilityContext context,
                ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *receiver,
                QueryCompletion *completion) {
    entry([&] { note_utility(*statement); });
    bool leave = leaves_cursor(statement->utilityStmt);
    bool close = closes_all_cursors(statement->utilityStmt);
    (next_utility ? next_utility : standard_ProcessUtility)(statement, text, read_only_tree, context, parameters,
                                                            environment, receiver, completion);
    cursors_may_be_left = (cursors_may_be_left && !close) || leave;
}

/// Whether a built-in function returns rows without a query, by decoding WAL.
bool decodes_changes(Oid function) {
    return function == F_PG_LOGICAL_SLOT_GET_CHANGES || function == F_PG_LOGICAL_SLOT_GET_BINARY_CHANGES ||
           function == F_PG_LOGICAL_SLOT_PEEK_CHANGES || function == F_PG_LOGICAL_SLOT_PEEK_BINARY_CHANGES;
}

/// Whether a user-defined function reads rows only by queries, which are recorded.
bool reads_by_queries(Oid function) {
    HeapTuple row = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(row))
        return false;
    Oid language = reinterpret_cast<Form_pg_proc>(GETSTRUCT(row))->prolang;
    ReleaseSysCache(row);
    return language == SQLlanguageId || language == INTERNALlanguageId || language == get_language_oid("plpgsql", true);
}

/// Record the snapshot of a function that may read tables without a query: one called by the fast path, or one in C or
/// another language.
void note_function(Oid function) {
    bool installed = function >= FirstNormalObjectId;
    bool by_fast_path = !debug_query_string;
    if (!installed && !by_fast_path && !decodes_changes(function))
        return;
    if (oldest.earlier == Earlier::unknown || !ActiveSnapshotSet() || (oldest.noted && !is_older(*GetActiveSnapshot())))
        return;
    if (by_fast_path || !installed || !call([&] { return reads_by_queries(function); }))
        note_active_snapshot();
}

void at_object_access(ObjectAccessType access, Oid catalog, Oid object, int part, void *argument) {
    if (access == OAT_FUNCTION_EXECUTE)
        entry([&] { note_function(object); });
    if (next_object_access)
        next_object_access(access, catalog, object, part, argument);
}

} // namespace

bool may_have_read_before(FullTransactionId committed) {
    return oldest.earlier != Earlier::nothing || (oldest.noted && call([&] { return is_unseen(committed); }));
}

bool earlier_reads_are_in_doubt() {
    return oldest.earlier == Earlier::in_doubt;
}

void settle_earlier_reads(bool may_have_read) {
    oldest.earlier = may_have_read ? Earlier::unknown : Earlier::nothing;
    note_active_snapshot();
}

void watch_snapshots() {
    Beginnings found = IsTransactionState() ? find_beginnings() : Beginnings{};
    cursors_may_be_left = found.cursors;
    if (!IsTransactionState())
        oldest.earlier = Earlier::nothing;
    else if (reads_show_in_locks(found))
        oldest.earlier = Earlier::in_doubt;
    hear_of_transaction_ends(forget);
    next_executor_start = ExecutorStart_hook;
    ExecutorStart_hook = at_executor_start;
    next_utility = ProcessUtility_hook;
    ProcessUtility_hook = at_utility;
    next_object_access = object_access_hook;
    object_access_hook = at_object_access;
}

} // namespace snapback
