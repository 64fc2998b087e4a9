#include "postgres/error/boundary.hpp"

#include <new>

extern "C" {
#include "access/xact.h"
#include "utils/resowner.h"
}

namespace snapback {

namespace {

/// A PostgreSQL error thrown through C++ code. Owns a copy of the ErrorData in its own memory context. The type is
/// private to this file and not a std::exception, so other code cannot catch it.
class PostgresError {
public:
    PostgresError(ErrorData *error, MemoryContext home) noexcept : error_(error), home_(home) {}
    PostgresError(PostgresError &&other) noexcept
        : error_(std::exchange(other.error_, nullptr)), home_(std::exchange(other.home_, nullptr)) {}
    PostgresError(const PostgresError &) = delete; // a copy could run out of memory: catch by reference
    PostgresError &operator=(const PostgresError &) = delete;
    PostgresError &operator=(PostgresError &&) = delete;
    ~PostgresError() {
        if (home_)
            MemoryContextDelete(home_);
    }
    const ErrorData &data() const noexcept { return *error_; }

private:
    ErrorData *error_;
    MemoryContext home_;
};

/// Create a context for a copied error. The context that failed may be reset before the error is reported.
MemoryContext new_error_home() {
    return AllocSetContextCreate(TopMemoryContext, "snapback error", ALLOCSET_SMALL_SIZES);
}

/// Copy an ErrorData with all its strings. PostgreSQL also copies constant strings, because they may be in JIT-compiled
/// code that is unloaded later.
ErrorData *copy_error(const ErrorData *error, MemoryContext home) {
    auto *copy = static_cast<ErrorData *>(MemoryContextAlloc(home, sizeof(ErrorData)));
    *copy = *error;
    for (char **text : {&copy->message, &copy->detail, &copy->detail_log, &copy->hint, &copy->context, &copy->backtrace,
                        &copy->schema_name, &copy->table_name, &copy->column_name, &copy->datatype_name,
                        &copy->constraint_name, &copy->internalquery})
        if (*text)
            *text = MemoryContextStrdup(home, *text);
    for (const char **text :
         {&copy->filename, &copy->funcname, &copy->domain, &copy->context_domain, &copy->message_id})
        if (*text)
            *text = MemoryContextStrdup(home, *text);
    copy->assoc_context = home;
    return copy;
}

/// Move the current error into its own context; leave the result empty if memory is exhausted.
void take_error(boundary::Outcome *outcome) {
    PG_TRY();
    {
        outcome->home = new_error_home();
        MemoryContextSwitchTo(outcome->home);
        outcome->error = CopyErrorData();
    }
    PG_CATCH();
    { outcome->error = nullptr; }
    PG_END_TRY();
    FlushErrorState();
}

} // namespace

namespace boundary {

Outcome run_caught(void (*thunk)(void *), void *argument) noexcept {
    MemoryContext context = CurrentMemoryContext;
    Outcome outcome;
    PG_TRY();
    { thunk(argument); }
    PG_CATCH();
    {
        take_error(&outcome);
        MemoryContextSwitchTo(context);
        outcome.failed = true;
    }
    PG_END_TRY();
    return outcome;
}

void throw_caught(const Outcome &outcome) {
    if (outcome.error)
        throw PostgresError(outcome.error, outcome.home);
    if (outcome.home)
        MemoryContextDelete(outcome.home);
    throw std::bad_alloc();
}

namespace {

/// Build an ErrorData in ErrorContext, where it lives until the error is handled.
ErrorData *make_error(const char *sqlstate, const char *message, const char *detail, const char *hint) {
    auto *error = static_cast<ErrorData *>(MemoryContextAllocZero(ErrorContext, sizeof(ErrorData)));
    error->elevel = ERROR;
    error->sqlerrcode = strlen(sqlstate) == 5
                            ? MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3], sqlstate[4])
                            : ERRCODE_INTERNAL_ERROR;
    error->message = MemoryContextStrdup(ErrorContext, message);
    error->detail = detail && *detail ? MemoryContextStrdup(ErrorContext, detail) : nullptr;
    error->hint = hint && *hint ? MemoryContextStrdup(ErrorContext, hint) : nullptr;
    error->assoc_context = ErrorContext;
    return error;
}

} // namespace

Failure describe_current_exception() noexcept {
    Failure failure;
    auto describe = [&](const char *sqlstate, const char *message, const char *detail = nullptr,
                        const char *hint = nullptr) {
        call_noexcept([&] { failure.error = make_error(sqlstate, message, detail, hint); });
    };
    try {
        throw;
    } catch (const PostgresError &error) {
        call_noexcept([&] { failure.error = copy_error(&error.data(), ErrorContext); });
        failure.raised_by_postgres = true;
    } catch (const Error &error) {
        describe(error.sqlstate.c_str(), error.what(), error.detail.c_str(), error.hint.c_str());
    } catch (const std::bad_alloc &) {
        describe("53200", "out of memory");
    } catch (const std::exception &error) {
        describe("XX000", error.what());
    } catch (...) {
        describe("XX000", "unknown C++ exception");
    }
    return failure;
}

namespace {

std::string text_or_nothing(const char *text) {
    return text ? text : "";
}

ErrorReport report_of(const ErrorData &data) {
    ErrorReport report;
    report.sqlstate = unpack_sql_state(data.sqlerrcode);
    report.message = data.message ? data.message : "unknown error";
    report.detail = text_or_nothing(data.detail);
    report.hint = text_or_nothing(data.hint);
    report.constraint = text_or_nothing(data.constraint_name);
    report.raised_by_postgres = true;
    report.is_lock_timeout = data.sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE &&
                             text_or_nothing(data.message_id) == "canceling statement due to lock timeout";
    return report;
}

ErrorReport report_of(const Error &error) {
    ErrorReport report;
    report.sqlstate = error.sqlstate;
    report.message = error.what();
    report.detail = error.detail;
    report.hint = error.hint;
    return report;
}

/// Report the exception being handled; nothing if it is neither a PostgreSQL error nor an Error.
std::optional<ErrorReport> report_any_error() {
    try {
        throw;
    } catch (const PostgresError &error) {
        return report_of(error.data());
    } catch (const Error &error) {
        return report_of(error);
    } catch (...) {
        return std::nullopt;
    }
}

/// Whether an error must end the transaction even after a subtransaction rollback: the query was canceled, or the
/// server lacks resources.
bool ends_the_transaction(const std::string &sqlstate) {
    std::string state_class = sqlstate.substr(0, 2);
    return state_class == "57" || state_class == "53" || state_class == "58" || state_class == "40";
}

} // namespace

std::optional<ErrorReport> report_current_error() {
    std::optional<ErrorReport> report = report_any_error();
    return report && !ends_the_transaction(report->sqlstate) ? report : std::nullopt;
}

void raise(const Failure &failure, ErrorContextCallback *callbacks) {
    error_context_stack = callbacks;
    if (!failure.error) // out of memory while copying the error
        ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory while reporting an error")));
    if (failure.raised_by_postgres)
        ReThrowError(failure.error);
    ThrowErrorData(failure.error);
    pg_unreachable();
}

} // namespace boundary

void check_for_interrupts() {
    if (InterruptPending)
        call([] { CHECK_FOR_INTERRUPTS(); });
}

namespace {

/// A subtransaction that rolls back unless committed.
class Subtransaction {
public:
    Subtransaction() : context_(CurrentMemoryContext), owner_(CurrentResourceOwner) {
        call([&] {
            BeginInternalSubTransaction(nullptr);
            MemoryContextSwitchTo(context_);
        });
    }
    ~Subtransaction() {
        if (open_) {
            call_noexcept([] { RollbackAndReleaseCurrentSubTransaction(); });
            return_to_caller();
        }
    }
    Subtransaction(const Subtransaction &) = delete;
    Subtransaction &operator=(const Subtransaction &) = delete;
    void commit() {
        call([] { ReleaseCurrentSubTransaction(); });
        open_ = false;
        return_to_caller();
    }

private:
    void return_to_caller() {
        MemoryContextSwitchTo(context_);
        CurrentResourceOwner = owner_;
    }

    MemoryContext context_;
    ResourceOwner owner_;
    bool open_ = true;
};

} // namespace

std::optional<UndoneError> attempt(const std::function<void()> &body, const char *only) {
    try {
        Subtransaction subtransaction;
        body();
        subtransaction.commit();
        return std::nullopt;
    } catch (...) {
        std::optional<ErrorReport> report = only ? boundary::report_any_error() : boundary::report_current_error();
        if (report && (!only || report->sqlstate == only))
            return UndoneError(std::move(*report), std::current_exception());
        throw;
    }
}

std::optional<UndoneError> try_out(const std::function<void()> &body) {
    try {
        Subtransaction rolled_back;
        body();
        return std::nullopt;
    } catch (...) {
        if (std::optional<ErrorReport> report = boundary::report_current_error())
            return UndoneError(std::move(*report), std::current_exception());
        throw;
    }
}

std::optional<UndoneError> attempt_transactions(const std::function<void()> &body) {
    try {
        body();
        return std::nullopt;
    } catch (...) {
        std::optional<ErrorReport> report = boundary::report_any_error();
        if (!report || IsTransactionState())
            throw;
        return UndoneError(std::move(*report), std::current_exception());
    }
}

} // namespace snapback
