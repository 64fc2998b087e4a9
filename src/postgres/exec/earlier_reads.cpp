#include "postgres/exec/earlier_reads.hpp"

#include <link.h>

#include <algorithm>
#include <set>

#include "postgres/lock/heavy_lock.hpp"

extern "C" {
#include "access/genam.h"
#include "access/parallel.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "parser/parsetree.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/portal.h"
#include "utils/syscache.h"
}

namespace snapback {

namespace {

/// Whether the client sent a statement outside a transaction block that is not CALL or DO. Its transaction then
/// contains no earlier statement. Portals of functions have names.
bool is_plain_statement() {
    if (!ActivePortal || ActivePortal->name[0] != '\0' || (MyXactFlags & XACT_FLAGS_PIPELINING))
        return false;
    ListCell *cell = nullptr;
    foreach (cell, ActivePortal->stmts)
        if (lfirst_node(PlannedStmt, cell)->utilityStmt)
            return false;
    return true;
}

/// Whether any version of a row in a catalog satisfies a test, including objects that this transaction has dropped.
template <class Test> bool any_version(Oid catalog, const Test &test) {
    Oid own_schema = call([] { return get_namespace_oid("snapback", true); });
    Relation relation = call([&] { return table_open(catalog, AccessShareLock); });
    SysScanDesc scan = call([&] { return systable_beginscan(relation, InvalidOid, false, SnapshotAny, 0, nullptr); });
    bool found = false;
    while (!found) {
        HeapTuple row = call([&] { return systable_getnext(scan); });
        if (!row)
            break;
        found = test(relation, row, own_schema);
    }
    call([&] {
        systable_endscan(scan);
        table_close(relation, AccessShareLock);
    });
    return found;
}

/// Whether a relation contains rows of users. A relation that this transaction created contains no rows of others.
bool holds_rows(HeapTuple row, Oid own_schema) {
    const auto &relation = *reinterpret_cast<Form_pg_class>(GETSTRUCT(row));
    return relation.oid >= FirstNormalObjectId && relation.relnamespace != own_schema &&
           relation.relkind != RELKIND_INDEX && relation.relkind != RELKIND_PARTITIONED_INDEX &&
           relation.relkind != RELKIND_SEQUENCE && relation.relkind != RELKIND_COMPOSITE_TYPE &&
           !TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(row->t_data));
}

/// Whether a statement of the client changes rows of a table, or of one that this is a partition of.
bool changes_rows_of(const PlannedStmt &statement, Oid written) {
    List *ancestors = call([&] { return get_rel_relispartition(written) ? get_partition_ancestors(written) : NIL; });
    ListCell *cell = nullptr;
    foreach (cell, statement.resultRelations) {
        Oid changed = rt_fetch(lfirst_int(cell), statement.rtable)->relid;
        if (changed == written || list_member_oid(ancestors, changed))
            return true;
    }
    return false;
}

/// Whether a statement calls user-defined functions, which may read and write rows themselves.
bool calls_installed_functions(const PlannedStmt &statement) {
    ListCell *cell = nullptr;
    foreach (cell, statement.invalItems)
        if (lfirst_node(PlanInvalItem, cell)->cacheId == PROCOID)
            return true;
    return false;
}

/// The statement of the client, if it writes to a table itself and not by functions or triggers. It must have been
/// parsed immediately before. It has then locked each relation that it reads exactly once, unless it names it twice.
const PlannedStmt *writing_statement(Oid written) {
    if (!ActivePortal || ActivePortal->cplan || list_length(ActivePortal->stmts) != 1)
        return nullptr;
    const auto *statement = linitial_node(PlannedStmt, ActivePortal->stmts);
    bool by_itself = call([] { return DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, 0)); }) == 1 &&
                     changes_rows_of(*statement, written) && !calls_installed_functions(*statement);
    return by_itself ? statement : nullptr;
}

/// The current write, whose locks must be distinguished from those of earlier reads.
struct CurrentWrite {
    Oid written;                  // the table that it writes to
    const PlannedStmt *statement; // its statement, if its locks are known
    bool had_commands;            // whether commands before it may have changed rows

    bool reads(Oid relation) const {
        ListCell *cell = nullptr;
        if (statement)
            foreach (cell, statement->rtable) {
                const RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);
                if (entry->rtekind == RTE_RELATION && entry->relid == relation && entry->rellockmode == AccessShareLock)
                    return true;
            }
        return false;
    }
};

/// Whether this transaction may have read a relation before. Queries hold the first two locks and ANALYZE the third;
/// stronger locks exclude restores until the transaction ends. Commands that change rows hold the last one, including
/// the current command.
bool may_have_read(Oid relation, const CurrentWrite &write) {
    LOCKTAG tag;
    SET_LOCKTAG_RELATION(tag, MyDatabaseId, relation);
    if (holds_lock(tag, RowShareLock) || holds_lock(tag, ShareUpdateExclusiveLock))
        return true;
    if (holds_lock(tag, AccessShareLock) && !(write.reads(relation) && holds_lock_once(tag, AccessShareLock)))
        return true;
    return write.had_commands && holds_lock(tag, RowExclusiveLock) &&
           !(relation == write.written && holds_lock_once(tag, RowExclusiveLock));
}

/// Whether a command before the current one may have changed rows. Such commands are counted even if they changed no
/// row.
bool had_commands() {
    return !ActiveSnapshotSet() || GetActiveSnapshot()->curcid != FirstCommandId;
}

bool has_locks_of_readers(Oid written) {
    CurrentWrite write{written, writing_statement(written), had_commands()};
    return any_version(RelationRelationId, [&](Relation, HeapTuple row, Oid own_schema) {
        Oid relation = reinterpret_cast<Form_pg_class>(GETSTRUCT(row))->oid;
        return holds_rows(row, own_schema) && may_have_read(relation, write);
    });
}

/// The name of a library without directory and suffix.
std::string library_name(std::string_view path) {
    std::string_view file = path.substr(path.find_last_of('/') + 1);
    return std::string(file.substr(0, file.find(DLSUFFIX)));
}

using Libraries = std::set<std::string>;

/// Remove the libraries that a setting lists.
void remove_listed(Libraries &libraries, const char *setting) {
    std::string_view rest = setting ? setting : "";
    while (!rest.empty()) {
        std::string_view name = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), name.size() + 1));
        name.remove_prefix(std::min(name.find_first_not_of(" \""), name.size()));
        libraries.erase(library_name(name.substr(0, name.find_last_not_of(" \"") + 1)));
    }
}

/// The libraries in this process, except preloaded ones. For a library that is used for its hooks, calls of its
/// functions cannot be detected.
Libraries loaded_on_demand() {
    Libraries libraries;
    dl_iterate_phdr(
        [](dl_phdr_info *info, std::size_t, void *set) {
            static_cast<Libraries *>(set)->insert(library_name(info->dlpi_name));
            return 0;
        },
        &libraries);
    libraries.erase(""); // the program itself
    libraries.erase("pg_snapback");
    for (const char *setting :
         {shared_preload_libraries_string, session_preload_libraries_string, local_preload_libraries_string})
        remove_listed(libraries, setting);
    return libraries;
}

/// The library of a user-defined C function; otherwise empty.
std::string library_of(Relation functions, HeapTuple row) {
    const auto &function = *reinterpret_cast<Form_pg_proc>(GETSTRUCT(row));
    if (function.prolang != ClanguageId || function.oid < FirstNormalObjectId)
        return {};
    const char *path = call([&]() -> const char * {
        bool null = false;
        Datum datum = heap_getattr(row, Anum_pg_proc_probin, RelationGetDescr(functions), &null);
        return null ? "" : TextDatumGetCString(datum);
    });
    return library_name(path);
}

/// Whether this session has loaded code that may read rows without holding a lock: through another connection, like
/// dblink or untrusted languages, or by pages.
bool has_loaded_foreign_code() {
    Libraries loaded = loaded_on_demand();
    return any_version(ProcedureRelationId, [&](Relation functions, HeapTuple row, Oid) {
        return loaded.contains(library_of(functions, row));
    });
}

} // namespace

Beginnings find_beginnings() {
    Beginnings found{true, true};
    if (IsInParallelMode() || IsParallelWorker())
        return found;
    // The rollback ends the subtransaction, and cleans up what ThereAreNoReadyPortals() leaves.
    std::optional<UndoneError> failed = try_out([&] {
        // They are numbered from the first, at level 1. If all are open, none was rolled back.
        auto begun = GetCurrentSubTransactionId() - TopSubTransactionId;
        found.ended_subtransactions = begun != static_cast<SubTransactionId>(GetCurrentTransactionNestLevel() - 1);
        found.cursors = call([] { return !ThereAreNoReadyPortals(); });
    });
    return failed ? Beginnings{true, true} : found;
}

bool reads_show_in_locks(const Beginnings &found) {
    return !found.ended_subtransactions && !found.cursors && (IsTransactionBlock() || is_plain_statement());
}

bool may_have_read_before_writing(Oid written) {
    return has_locks_of_readers(written) || has_loaded_foreign_code();
}

} // namespace snapback
