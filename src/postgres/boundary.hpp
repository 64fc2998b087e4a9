#pragma once
// The boundary between two ways of failing. Postgres reports errors with longjmp, which runs no destructor; C++ with
// exceptions, which abort the server when they reach C. `call` leads from the first to the second, `entry` back.
//
// Rules: nothing that owns memory lives inside the function given to `call`; everything the server calls (SQL
// functions, triggers, worker mains, callbacks) is an `entry`; a PostgresError that was caught must be rethrown unless
// a Subtransaction has undone what failed.
#include <exception>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/error.hpp"
#include "postgres/postgres.hpp"

namespace snapback {

/// A Postgres error in flight through C++. Owns a copy of the whole ErrorData in a memory context of its own.
class PostgresError : public std::exception {
public:
    PostgresError(ErrorData *error, MemoryContext home) noexcept : error_(error), home_(home) {}
    PostgresError(PostgresError &&other) noexcept
        : error_(std::exchange(other.error_, nullptr)), home_(std::exchange(other.home_, nullptr)) {}
    PostgresError(const PostgresError &) = delete; // a copy could fail for want of memory: catch by reference
    PostgresError &operator=(const PostgresError &) = delete;
    ~PostgresError() override;

    const char *what() const noexcept override { return error_->message ? error_->message : "unknown error"; }
    const ErrorData &data() const noexcept { return *error_; }
    std::string sqlstate() const { return unpack_sql_state(error_->sqlerrcode); }
    /// Whether a value or a definition is at fault, rather than the server's state or a user's wish to stop.
    bool is_refusal() const {
        std::string state_class = sqlstate().substr(0, 2);
        return state_class == "22" || state_class == "23" || state_class == "42" || state_class == "P0";
    }
    /// Whether a lock was waited for longer than lock_timeout allows, rather than refused at once.
    bool is_lock_timeout() const {
        return sqlstate() == sqlstate::lock_not_available && error_->message_id &&
               std::string_view(error_->message_id) == "canceling statement due to lock timeout";
    }

private:
    ErrorData *error_;
    MemoryContext home_;
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

/// A subtransaction: rolled back unless committed. The only place where a PostgresError may be swallowed; not even
/// there one that says the user wants to stop (57014).
class Subtransaction {
public:
    Subtransaction();
    ~Subtransaction();
    Subtransaction(const Subtransaction &) = delete;
    Subtransaction &operator=(const Subtransaction &) = delete;
    void commit();

private:
    MemoryContext context_;
    ResourceOwner owner_;
    bool open_ = true;
};

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
