#include "postgres/worker/other_database.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "postgres/spi/query.hpp"
#include "postgres/worker/worker.hpp"

extern "C" {
#include "commands/dbcommands.h"
#include "mb/pg_wchar.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "tcop/tcopprot.h"
}

namespace snapback {

namespace {

/// Shared between caller and worker: the statement, then its result. It is plain data, because it is in a shared memory
/// segment.
struct Exchange {
    Oid database;
    Oid user;
    enum : char { unanswered, failed, nothing, value } outcome;
    char sqlstate[6];
    char result[2048]; // the value or the error message
    char detail[2048];
    char hint[2048];
    char statement[]; // extends to the end of the segment
};

/// Copy as much of a text as fits, without splitting characters.
template <std::size_t size> void put(char (&place)[size], const std::string &text) {
    std::size_t length = text.size();
    if (length >= size)
        length = pg_mbcliplen(text.c_str(), static_cast<int>(length), size - 1);
    std::copy_n(text.data(), length, place);
    place[length] = '\0';
}

/// A shared memory segment, unmapped at the end of the scope.
class Segment {
public:
    explicit Segment(std::size_t size) : segment_(call([&] { return dsm_create(size, 0); })) {}
    ~Segment() {
        call_noexcept([&] { dsm_detach(segment_); });
    }
    Segment(const Segment &) = delete;
    Segment &operator=(const Segment &) = delete;
    Exchange *exchange() const { return static_cast<Exchange *>(dsm_segment_address(segment_)); }
    dsm_handle handle() const { return dsm_segment_handle(segment_); }

private:
    dsm_segment *segment_;
};

/// A background worker that ends no later than its scope.
class Worker {
public:
    explicit Worker(dsm_handle segment) {
        BackgroundWorker worker{};
        std::snprintf(worker.bgw_name, BGW_MAXLEN, "pg_snapback: statement in another database");
        std::snprintf(worker.bgw_type, BGW_MAXLEN, "pg_snapback statement");
        std::snprintf(worker.bgw_library_name, sizeof worker.bgw_library_name, "pg_snapback");
        std::snprintf(worker.bgw_function_name, BGW_MAXLEN, "snapback_other_database_main");
        worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
        worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
        worker.bgw_restart_time = BGW_NEVER_RESTART;
        worker.bgw_main_arg = UInt32GetDatum(segment);
        worker.bgw_notify_pid = MyProcPid;
        if (!call([&] { return RegisterDynamicBackgroundWorker(&worker, &handle_); }))
            throw Error("53400", "no background worker is free")
                .with_hint("Raise max_worker_processes, or try again later.");
    }
    ~Worker() {
        call_noexcept([&] { TerminateBackgroundWorker(handle_); });
    }
    Worker(const Worker &) = delete;
    Worker &operator=(const Worker &) = delete;

    /// Wait for the worker to end, or for a query cancel.
    void wait() {
        call([&] { WaitForBackgroundWorkerShutdown(handle_); });
    }

private:
    BackgroundWorkerHandle *handle_ = nullptr;
};

void report_failure(Exchange *exchange, const ErrorReport &error) {
    put(exchange->sqlstate, error.sqlstate);
    put(exchange->result, error.message);
    put(exchange->detail, error.detail);
    put(exchange->hint, error.hint);
    exchange->outcome = Exchange::failed;
}

/// Run the statement in a transaction and store its result.
void answer(Exchange *exchange) {
    WorkerTransaction transaction;
    std::optional<std::string> value;
    {
        Query query;
        Rows rows = query.run(exchange->statement);
        if (!rows.empty())
            value = rows[0].optional_text(1);
    }
    if (value && value->size() >= sizeof exchange->result)
        throw Error("54000", "result from another database is too long: " + std::to_string(value->size()) + " bytes");
    transaction.commit();
    put(exchange->result, value.value_or(""));
    exchange->outcome = value ? Exchange::value : Exchange::nothing;
}

/// Worker main: execute the request in the caller's segment.
void work(dsm_handle handle) {
    Exchange *exchange = call([&] {
        pqsignal(SIGTERM, die);
        BackgroundWorkerUnblockSignals();
        dsm_segment *segment = dsm_attach(handle);
        // The caller may have been canceled and removed the segment.
        return segment ? static_cast<Exchange *>(dsm_segment_address(segment)) : nullptr;
    });
    if (!exchange)
        return;
    connect_worker(exchange->database, exchange->user);
    std::optional<UndoneError> error = attempt_transactions([&] { answer(exchange); });
    if (error)
        report_failure(exchange, *error);
}

} // namespace

std::optional<std::string> run_in_database(const std::string &database, const std::string &statement) {
    Segment segment(sizeof(Exchange) + statement.size() + 1);
    Exchange *exchange = segment.exchange();
    std::memset(exchange, 0, sizeof(Exchange));
    exchange->database = call([&] { return get_database_oid(database.c_str(), false); });
    exchange->user = GetUserId();
    std::memcpy(exchange->statement, statement.c_str(), statement.size() + 1);
    {
        Worker worker(segment.handle());
        worker.wait();
    }
    switch (exchange->outcome) {
    case Exchange::value:
        return std::string(exchange->result);
    case Exchange::nothing:
        return std::nullopt;
    case Exchange::failed:
        throw Error(exchange->sqlstate, exchange->result).with_detail(exchange->detail).with_hint(exchange->hint);
    case Exchange::unanswered:
        break;
    }
    throw Error(sqlstate::object_not_in_state, "could not execute statement in database \"" + database + "\"")
        .with_hint("The server log shows why the worker \"pg_snapback statement\" ended. The database must accept "
                   "connections, and the current user must have the LOGIN attribute.");
}

} // namespace snapback

extern "C" {
PGDLLEXPORT void snapback_other_database_main(Datum segment);

void snapback_other_database_main(Datum segment) {
    snapback::entry([&] { snapback::work(DatumGetUInt32(segment)); });
}
}
