#pragma once
// The boundary between two ways of failing. Postgres reports errors with longjmp, which runs no destructor; C++ with
// exceptions, which abort the server when they reach C. `call` leads from the first to the second, `entry` back.
//
// Rules: nothing that owns memory lives inside the function given to `call`; everything the server calls (SQL
// functions, triggers, worker mains, callbacks) is an `entry`. What Postgres raised has no type that others could
// catch: an error is survived only as the UndoneError of an `attempt`, which has rolled back what failed.
#include <exception>
#include <functional>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/error.hpp"
#include "postgres/postgres.hpp"

namespace snapback {

/// What an error says, as plain values.
struct ErrorReport {
    std::string sqlstate;
    std::string message;
    std::string detail;
    std::string hint;
    std::string constraint;          // the constraint's name, where there is one
    bool raised_by_postgres = false; // rather than by us, as Error
    bool is_lock_timeout = false;    // a lock was waited for longer than lock_timeout allows, not refused at once

    /// Whether a value or a definition is at fault, rather than the server's state or a user's wish to stop.
    bool is_refusal() const {
        std::string state_class = sqlstate.substr(0, 2);
        return state_class == "22" || state_class == "23" || state_class == "42" || state_class == "P0";
    }
};

/// An error that has been survived: whatever had been done before it was raised has been rolled back.
class UndoneError : public ErrorReport {
public:
    UndoneError(ErrorReport report, std::exception_ptr original)
        : ErrorReport(std::move(report)), original_(std::move(original)) {}
    /// Raise it again, as it was.
    [[noreturn]] void raise() const { std::rethrow_exception(original_); }
    Error as_error() const { return Error(sqlstate, message).with_detail(detail).with_hint(hint); }

private:
    std::exception_ptr original_;
};

namespace boundary {
/// How a run under Postgres's error handling ended. No error although it failed: there was no memory to keep it in.
struct Outcome {
    bool failed = false;
    ErrorData *error = nullptr;
    MemoryContext home = nullptr;
};
/// Run thunk(argument) with Postgres's errors caught.
Outcome run_caught(void (*thunk)(void *), void *argument) noexcept;
/// Throw what was caught.
[[noreturn]] void throw_caught(const Outcome &outcome);

/// What `entry` carries out of its catch block: plain data, so that the final longjmp skips no destructor.
struct Failure {
    ErrorData *error = nullptr;
    bool raised_by_postgres = false; // its context lines are complete, and it has been through the log filters
};
/// Describe the exception being handled as a Postgres error; called inside a catch block only.
Failure describe_current_exception() noexcept;
/// Report the exception being handled, where it is an error that may be survived once it is undone; likewise.
std::optional<ErrorReport> report_current_error();
/// Raise the failure as a Postgres ERROR, with context lines by these callbacks: the body may have left others, of
/// frames that are gone.
[[noreturn]] void raise(const Failure &failure, ErrorContextCallback *callbacks);
} // namespace boundary

/// Run one or a few Postgres calls; throw PostgresError where they fail. The result must be trivially destructible.
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

/// For destructors: run Postgres calls, report nothing. The transaction is about to be aborted or has done the same
/// work.
template <class Function> void call_noexcept(Function &&function) noexcept {
    try {
        call(std::forward<Function>(function));
    } catch (...) {
        // Nothing can be reported from a destructor, and the error state has been flushed.
    }
}

/// Throw where the statement or the session is to end; for long work between Postgres calls.
void check_for_interrupts();

/// Run a body that may throw, as called by Postgres: every exception leaves as an ERROR, after all destructors ran.
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

/// Run a body in a subtransaction; where it fails, roll that back and return the error. Errors that no caller may
/// survive go on as they were: a cancelled query, a shutdown, a lack of memory or disk, a deadlock. `only`: every error
/// goes on but this one, whatever it is (not 57014).
[[nodiscard]] std::optional<UndoneError> attempt(const std::function<void()> &body, const char *only = nullptr);

/// The same, but what was done is rolled back in any case.
[[nodiscard]] std::optional<UndoneError> try_out(const std::function<void()> &body);

/// `attempt` for a worker between its transactions: the body begins and ends transactions of its own. Every error that
/// Postgres or we raise is returned; none is while a transaction is still open.
[[nodiscard]] std::optional<UndoneError> attempt_transactions(const std::function<void()> &body);

/// Run a body; what Postgres raises in it goes on as the Error that `explain` makes of its ErrorReport, or as it was
/// where that makes none (std::optional<Error>). Errors that no caller may survive always go on as they were.
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

/// Define a C-visible SQL function: SNAPBACK_FUNCTION(name) { body that may throw; fcinfo at hand; returns Datum }
#define SNAPBACK_FUNCTION(name)                                                                                        \
    static Datum name##_body(FunctionCallInfo fcinfo);                                                                 \
    extern "C" {                                                                                                       \
    PG_FUNCTION_INFO_V1(name);                                                                                         \
    PGDLLEXPORT Datum name(PG_FUNCTION_ARGS) {                                                                         \
        return snapback::entry([&] { return name##_body(fcinfo); });                                                   \
    }                                                                                                                  \
    }                                                                                                                  \
    static Datum name##_body([[maybe_unused]] FunctionCallInfo fcinfo)
