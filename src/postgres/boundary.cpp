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

/// Copy an ErrorData, strings and all, into a context of its own.
ErrorData *copy_error(const ErrorData *error, MemoryContext home) {
    MemoryContext before = MemoryContextSwitchTo(home);
    auto *copy = static_cast<ErrorData *>(palloc(sizeof(ErrorData)));
    *copy = *error;
    for (char **text : {&copy->message, &copy->detail, &copy->detail_log, &copy->hint, &copy->context, &copy->backtrace,
                        &copy->schema_name, &copy->table_name, &copy->column_name, &copy->datatype_name,
                        &copy->constraint_name, &copy->internalquery})
        if (*text)
            *text = pstrdup(*text);
    copy->assoc_context = home;
    MemoryContextSwitchTo(before);
    return copy;
}

} // namespace

PostgresError::PostgresError(const PostgresError &other) : error_(nullptr), home_(nullptr) {
    home_ = call([] { return new_error_home(); });
    error_ = call([&] { return copy_error(other.error_, home_); });
}

PostgresError::~PostgresError() {
    if (home_)
        MemoryContextDelete(home_);
}

namespace boundary {

ErrorData *run_caught(void (*thunk)(void *), void *argument, MemoryContext *home) noexcept {
    MemoryContext context = CurrentMemoryContext;
    ErrorData *volatile caught = nullptr;
    PG_TRY();
    { thunk(argument); }
    PG_CATCH();
    {
        *home = new_error_home();
        MemoryContextSwitchTo(*home);
        caught = CopyErrorData();
        FlushErrorState();
        MemoryContextSwitchTo(context);
    }
    PG_END_TRY();
    return caught;
}

namespace {

/// Build an ErrorData in the current context, which survives until the ERROR is handled.
ErrorData *make_error(const char *sqlstate, const char *message, const char *detail, const char *hint) {
    auto *error = static_cast<ErrorData *>(MemoryContextAllocZero(CurrentMemoryContext, sizeof(ErrorData)));
    error->elevel = ERROR;
    error->sqlerrcode = MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3], sqlstate[4]);
    error->message = pstrdup(message);
    error->detail = detail && *detail ? pstrdup(detail) : nullptr;
    error->hint = hint && *hint ? pstrdup(hint) : nullptr;
    error->assoc_context = CurrentMemoryContext;
    return error;
}

} // namespace

Failure describe_current_exception() noexcept {
    Failure failure;
    // An out-of-memory while describing an error is itself raised by Postgres; no destructor is skipped by then but
    // those of the exception object, a few bytes.
    auto describe = [&](const char *sqlstate, const char *message, const char *detail = nullptr,
                        const char *hint = nullptr) {
        call_noexcept([&] { failure.error = make_error(sqlstate, message, detail, hint); });
    };
    try {
        throw;
    } catch (const PostgresError &error) {
        call_noexcept([&] { failure.error = copy_error(&error.data(), CurrentMemoryContext); });
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

void raise(const Failure &failure) {
    if (!failure.error)
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
