#include "postgres/worker/worker.hpp"

#include <array>
#include <cstdio>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include "postgres/lock/heavy_lock.hpp"
#include "postgres/spi/query.hpp"

extern "C" {
#include "catalog/pg_database.h"
#include "commands/extension.h"
#include "mb/pg_wchar.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "tcop/tcopprot.h"
#include "utils/guc_tables.h"
#include "utils/wait_event.h"
}

namespace snapback {

namespace {

/// Workers to start at commit. The size is fixed, because the commit callback must not fail.
struct Wanted {
    std::array<const WorkerKind *, 4> kinds{};
    std::size_t count = 0;
    Oid owner = InvalidOid;
};
Wanted wanted;

/// Register a worker with the postmaster. Return false if no slot is free.
bool register_worker(const WorkerKind &kind, Oid owner) noexcept {
    BackgroundWorker worker{};
    std::snprintf(worker.bgw_name, BGW_MAXLEN, "%s", kind.title);
    std::snprintf(worker.bgw_type, BGW_MAXLEN, "%s", kind.title);
    std::snprintf(worker.bgw_library_name, sizeof worker.bgw_library_name, "pg_snapback");
    std::snprintf(worker.bgw_function_name, BGW_MAXLEN, "%s", kind.main);
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    worker.bgw_main_arg = ObjectIdGetDatum(MyDatabaseId);
    std::memcpy(worker.bgw_extra, &owner, sizeof owner);
    bool registered = false;
    call_noexcept([&] { registered = RegisterDynamicBackgroundWorker(&worker, nullptr); });
    return registered;
}

/// Start the requested workers after a commit has become visible; forget them on rollback.
void at_transaction_end(XactEvent event, void *) {
    if (event == XACT_EVENT_COMMIT)
        for (std::size_t i = 0; i < wanted.count; i++)
            register_worker(*wanted.kinds[i], wanted.owner);
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
        wanted.count = 0;
}

/// The role that a worker runs as: the extension's owner, or the bootstrap superuser if the owner cannot log in.
Oid worker_role() {
    Query query;
    Rows rows = query.run("SELECT CASE WHEN r.rolcanlogin THEN r.oid ELSE 0::pg_catalog.oid END "
                          "FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) "
                          "e.extowner WHERE e.extname OPERATOR(pg_catalog.=) 'pg_snapback'");
    return rows.empty() ? InvalidOid : rows[0].oid(1);
}

} // namespace

void start_worker_at_commit(const WorkerKind &kind) {
    static bool registered = false;
    if (!registered)
        call([] { RegisterXactCallback(at_transaction_end, nullptr); });
    registered = true;
    for (std::size_t i = 0; i < wanted.count; i++)
        if (wanted.kinds[i] == &kind)
            return;
    if (wanted.count == wanted.kinds.size())
        throw Error(sqlstate::internal_error, "too many kinds of background workers");
    wanted.owner = worker_role();
    wanted.kinds[wanted.count++] = &kind;
}

namespace {

/// The server's settings by name.
using ServerSettings = std::unordered_map<std::string, std::string>;

/// Visit every setting.
template <class Visitor> void visit_settings(const Visitor &visit) {
#if PG_VERSION_NUM >= 160000
    int count = 0;
    config_generic **settings = call([&] { return get_guc_variables(&count); });
#else
    int count = GetNumConfigOptions();
    config_generic **settings = get_guc_variables();
#endif
    for (int i = 0; i < count; i++)
        visit(*settings[i]);
}

/// Read the settings before the session has a database and a role.
ServerSettings server_settings() {
    ServerSettings values;
    visit_settings([&](const config_generic &setting) {
        const char *value = call([&] { return GetConfigOption(setting.name, true, false); });
        values[setting.name] = value ? value : "";
    });
    return values;
}

/// Whether a setting comes from ALTER DATABASE or ALTER ROLE.
bool is_set_for_sessions(const config_generic &setting) {
    return setting.source >= PGC_S_GLOBAL && setting.source <= PGC_S_DATABASE_USER;
}

/// Set a value for the whole session, so that a reload does not change it. A rejected value is logged.
void force_setting(const char *name, const char *value) {
    call([&] { set_config_option(name, value, PGC_SU_BACKEND, PGC_S_OVERRIDE, GUC_ACTION_SET, true, WARNING, false); });
}

/// Reset settings of the database and the role to the server's values, except the extension's settings.
void undo_session_settings(const ServerSettings &server) {
    constexpr std::string_view own = "snapback.";
    std::vector<std::string> undone; // collect the names first: a change may reorder the list
    visit_settings([&](const config_generic &setting) {
        if (is_set_for_sessions(setting) && !std::string_view(setting.name).starts_with(own))
            undone.emplace_back(setting.name);
    });
    for (const std::string &name : undone)
        if (auto value = server.find(name); value != server.end())
            force_setting(name.c_str(), value->second.c_str());
}

/// Set what a worker relies on, independent of the server configuration.
void fix_settings() {
    static constexpr std::array<std::array<const char *, 2>, 11> fixed = {{
        {"search_path", "pg_catalog, pg_temp"},
        {"default_transaction_isolation", "read committed"},
        {"default_transaction_read_only", "off"},
        {"default_transaction_deferrable", "off"},
        {"session_replication_role", "origin"},
        {"statement_timeout", "0"},
        {"lock_timeout", "0"},
        {"idle_in_transaction_session_timeout", "0"},
        {"transaction_timeout", "0"}, // since 17
        {"exit_on_error", "off"},
        {"row_security", "off"},
    }};
    force_setting("client_encoding", GetDatabaseEncodingName());
    for (const auto &setting : fixed)
        if (call([&] { return GetConfigOption(setting[0], true, false); }))
            force_setting(setting[0], setting[1]);
}

} // namespace

void connect_worker(Oid database, Oid role) {
    call([] { load_file("$libdir/plpgsql", false); }); // defines its settings
    ServerSettings server = server_settings();
    call([&] { BackgroundWorkerInitializeConnectionByOid(database, role, 0); });
    undo_session_settings(server);
    fix_settings();
}

namespace {

/// Whether the extension was dropped, so that the worker's task is obsolete.
bool extension_is_gone() {
    WorkerTransaction transaction;
    bool gone = call([] { return !OidIsValid(get_extension_oid("pg_snapback", true)); });
    transaction.commit();
    return gone;
}

} // namespace

void run_worker(Datum database, void (*work)()) {
    Oid owner;
    std::memcpy(&owner, MyBgworkerEntry->bgw_extra, sizeof owner);
    call([&] {
        pqsignal(SIGTERM, die);
        pqsignal(SIGHUP, SignalHandlerForConfigReload);
        BackgroundWorkerUnblockSignals();
    });
    connect_worker(DatumGetObjectId(database), owner);
    if (std::optional<UndoneError> error = attempt_transactions(work); error && !extension_is_gone())
        error->raise();
}

bool database_is_wanted() {
    // A command that needs exclusive access holds a lock that blocks new sessions, and waits a few seconds for existing
    // sessions to end.
    LOCKTAG tag;
    SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, MyDatabaseId, 0);
    return call([&] {
        if (LockAcquire(&tag, RowExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
            return true;
        LockRelease(&tag, RowExclusiveLock, true);
        return false;
    });
}

void hand_over_to(const WorkerKind &kind) {
    WorkerTransaction transaction;
    start_worker_at_commit(kind);
    transaction.commit();
}

void serve_interrupts() {
    call([] {
        CHECK_FOR_INTERRUPTS();
        if (ConfigReloadPending) {
            ConfigReloadPending = false;
            ProcessConfigFile(PGC_SIGHUP);
        }
    });
}

void sleep_in_worker(std::int64_t milliseconds) {
    call([&] {
        pgstat_report_activity(STATE_IDLE, nullptr);
        (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, static_cast<long>(milliseconds),
                        PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
    });
    serve_interrupts();
}

// With a delegating constructor the destructor runs if the body throws.
WorkerTransaction::WorkerTransaction() : WorkerTransaction(true) {
    call([] {
        SetCurrentStatementStartTimestamp();
        StartTransactionCommand();
        PushActiveSnapshot(GetTransactionSnapshot());
    });
    hold_extension();
}

WorkerTransaction::~WorkerTransaction() {
    if (open_)
        call_noexcept([] { AbortCurrentTransaction(); });
}

void WorkerTransaction::commit() {
    call([] {
        PopActiveSnapshot();
        CommitTransactionCommand();
        pgstat_report_stat(false);
    });
    open_ = false;
}

} // namespace snapback
