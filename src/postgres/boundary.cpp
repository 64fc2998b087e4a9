#include "postgres/boundary.hpp"

#include <new>

extern "C" {
#include "utils/resowner.h"
}

namespace snapback {

namespace {

/// Keep errors apart from the context that failed, which may be reset before they are reported.
MemoryContext new_error_home() {
    return AllocSetContextCreate(TopMemoryContext, "snapback error", ALLOCSET_SMALL_SIZES);
}

/// Copy an ErrorData into a context, with all its strings. The constant ones too: Postgres itself copies those into the
/// error's context, since they may lie in code that the JIT compiler unloads.
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

/// Move the error being handled into a context of its own; leave it empty where there is no memory even for that.
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

PostgresError::~PostgresError() {
    if (home_)
        MemoryContextDelete(home_);
}

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

/// Build an ErrorData where Postgres keeps its own: it lives until the ERROR has been dealt with, and no longer.
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

void raise(const Failure &failure, ErrorContextCallback *callbacks) {
    error_context_stack = callbacks;
    if (!failure.error) // there was no memory to describe it in
        ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory while reporting an error")));
    if (failure.raised_by_postgres)
        ReThrowError(failure.error);
    ThrowErrorData(failure.error);
    pg_unreachable();
}

} // namespace boundary

Subtransaction::Subtransaction() : context_(CurrentMemoryContext), owner_(CurrentResourceOwner) {
    call([&] {
        BeginInternalSubTransaction(nullptr);
        MemoryContextSwitchTo(context_);
    });
}

void Subtransaction::commit() {
    call([&] { ReleaseCurrentSubTransaction(); });
    open_ = false;
    MemoryContextSwitchTo(context_);
    CurrentResourceOwner = owner_;
}

Subtransaction::~Subtransaction() {
    if (!open_)
        return;
    call_noexcept([] { RollbackAndReleaseCurrentSubTransaction(); });
    MemoryContextSwitchTo(context_);
    CurrentResourceOwner = owner_;
}

} // namespace snapback
