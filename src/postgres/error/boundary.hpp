#pragma once
// The boundary between PostgreSQL errors and C++ exceptions. PostgreSQL errors use longjmp, which runs no destructors.
// C++ exceptions abort the server if they reach C code. `call` converts errors to exceptions; `entry` converts
// exceptions to errors.
//
// Rules: a function given to `call` owns no memory. Every function that the server calls (SQL function, trigger, worker
// main, callback) is an `entry`. Code cannot catch PostgreSQL errors by type; it handles them as the UndoneError of an
// `attempt`, which has rolled back the failed part.
#include <exception>
#include <functional>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/error.hpp"
#include "postgres/postgres.hpp"

namespace snapback {

/// The fields of an error.
struct ErrorReport {
    std::string sqlstate;
    std::string message;
    std::string detail;
    std::string hint;
    std::string constraint;          // constraint name, or empty
    bool raised_by_postgres = false; // false for an Error of the extension
    bool is_lock_timeout = false;    // lock_timeout expired, as opposed to NOWAIT

    /// Whether the error concerns a value or a definition, as opposed to a cancel or the state of the server.
    bool is_refusal() const {
        std::string state_class = sqlstate.substr(0, 2);
        return state_class == "22" || state_class == "23" || state_class == "42" || state_class == "P0";
    }
};

/// An error whose effects are rolled back.
class UndoneError : public ErrorReport {
public:
    UndoneError(ErrorReport report, std::exception_ptr original)
        : ErrorReport(std::move(report)), original_(std::move(original)) {}
    /// Rethrow the original error.
    [[noreturn]] void raise() const { std::rethrow_exception(original_); }
    Error as_error() const { return Error(sqlstate, message).with_detail(detail).with_hint(hint); }

private:
    std::exception_ptr original_;
};

namespace boundary {
/// The result of a call with errors caught. `error` is empty after a failure if memory was exhausted.
struct Outcome {
    bool failed = false;
    ErrorData *error = nullptr;
    MemoryContext home = nullptr;
};
/// Run thunk(argument) and catch PostgreSQL errors.
Outcome run_caught(void (*thunk)(void *), void *argument) noexcept;
/// Throw the caught error.
[[noreturn]] void throw_caught(const Outcome &outcome);

/// The error that `entry` reports after its catch block. It is plain data, so that the final longjmp skips no
/// destructor.
struct Failure {
    ErrorData *error = nullptr;
    bool raised_by_postgres = false; // context lines and log filters are already applied
};
/// Convert the exception being handled to a PostgreSQL error. Call only in a catch block.
Failure describe_current_exception() noexcept;
/// Report the exception being handled if it is recoverable. Call only in a catch block.
std::optional<ErrorReport> report_current_error();
/// Raise the failure as a PostgreSQL ERROR. `callbacks` replaces the current context callbacks, which may belong to
/// frames that no longer exist.
[[noreturn]] void raise(const Failure &failure, ErrorContextCallback *callbacks);
} // namespace boundary

/// Run a few PostgreSQL calls; throw PostgresError if they fail. The result must be trivially destructible.
template <class Function> auto call(Function &&function) -> std::invoke_result_t<Function &> {
    using Result = std::invoke_result_t<Function &>;
    if constexpr (std::is_void_v<Result>) {
        struct Frame {
            std::remove_reference_t<Function> *function;
            std::exception_ptr thrown;
        } frame{&function, nullptr};
        auto thunk = [](void *argument) {
            auto *frame = static_cast<Frame *>(argument);
            try {
                (*frame->function)();
            } catch (...) {
                frame->thrown = std::current_exception();
            }
        };
        if (boundary::Outcome outcome = boundary::run_caught(thunk, &frame); outcome.failed)
            boundary::throw_caught(outcome);
        if (frame.thrown)
            std::rethrow_exception(frame.thrown);
    } else {
        static_assert(std::is_trivially_destructible_v<Result>, "a longjmp must not skip a destructor");
        Result result{};
        call([&] { result = function(); });
        return result;
    }
}

/// Run PostgreSQL calls in a destructor and ignore errors. The transaction is about to abort, or has already done the
/// same work.
template <class Function> void call_noexcept(Function &&function) noexcept {
    try {
        call(std::forward<Function>(function));
    } catch (...) {
        // A destructor cannot report errors. The error state is already flushed.
    }
}

/// Throw if the query or session was canceled. For long operations without PostgreSQL calls.
void check_for_interrupts();

/// Run a body on behalf of PostgreSQL. An exception becomes an ERROR after all destructors have run.
template <class Body> auto entry(Body &&body) -> std::invoke_result_t<Body &> {
    ErrorContextCallback *callbacks = error_context_stack;
    boundary::Failure failure;
    try {
        return body();
    } catch (...) {
        failure = boundary::describe_current_exception();
    }
    boundary::raise(failure, callbacks);
}

/// Run a body in a subtransaction. If it fails, roll back and return the error. Unrecoverable errors propagate: query
/// cancel, shutdown, out of memory, disk full, deadlock. With `only`, return errors of that SQLSTATE alone, whatever it
/// is (except 57014).
[[nodiscard]] std::optional<UndoneError> attempt(const std::function<void()> &body, const char *only = nullptr);

/// Like attempt(), but always roll back.
[[nodiscard]] std::optional<UndoneError> try_out(const std::function<void()> &body);

/// Like attempt(), for a worker between transactions; the body runs its own transactions. Returns every error, after
/// closing any open transaction.
[[nodiscard]] std::optional<UndoneError> attempt_transactions(const std::function<void()> &body);

/// Run a body. `explain` converts the ErrorReport of a PostgreSQL error to std::optional<Error>; without a value, the
/// original error propagates. Unrecoverable errors always propagate unchanged.
template <class Body, class Explain> auto explaining(Body &&body, Explain &&explain) -> std::invoke_result_t<Body &> {
    try {
        return body();
    } catch (...) {
        std::optional<ErrorReport> report = boundary::report_current_error();
        if (report && report->raised_by_postgres)
            if (std::optional<Error> explained = explain(*report))
                throw Error(std::move(*explained));
        throw;
    }
}

} // namespace snapback

/// Define a C-visible SQL function: SNAPBACK_FUNCTION(name) { body that may throw, with fcinfo, returning Datum }
#define SNAPBACK_FUNCTION(name)                                                                                        \
    static Datum name##_body(FunctionCallInfo fcinfo);                                                                 \
    extern "C" {                                                                                                       \
    PG_FUNCTION_INFO_V1(name);                                                                                         \
    PGDLLEXPORT Datum name(PG_FUNCTION_ARGS) {                                                                         \
        return snapback::entry([&] { return name##_body(fcinfo); });                                                   \
    }                                                                                                                  \
    }                                                                                                                  \
    static Datum name##_body([[maybe_unused]] FunctionCallInfo fcinfo)
