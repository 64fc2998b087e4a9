// SQL functions that fail in every way that a function of the extension may, and count the destructors that ran.
#include <string>
#include <vector>

#include "postgres/error/boundary.hpp"

using namespace snapback;

namespace {

int alive = 0; // probes constructed and not destroyed

/// Owns memory, so that leaks can be measured.
class Probe {
public:
    Probe() { alive++; }
    ~Probe() { alive--; }
    Probe(const Probe &) = delete;
    Probe &operator=(const Probe &) = delete;

private:
    std::vector<char> memory_ = std::vector<char>(100'000, 'x');
};

/// A destructor that fails in PostgreSQL code.
struct FailsAtEnd {
    Probe probe;
    ~FailsAtEnd() {
        call_noexcept([] { ereport(ERROR, (errmsg("raised in a destructor"))); });
    }
};

/// Raise an error with all its fields set.
void raise_full_error() {
    ereport(ERROR,
            (errcode(ERRCODE_CHECK_VIOLATION), errmsg("raised by Postgres"), errdetail("the detail"),
             errhint("the hint"), errcontext("the context"), err_generic_string(PG_DIAG_SCHEMA_NAME, "a schema"),
             err_generic_string(PG_DIAG_TABLE_NAME, "a table"), err_generic_string(PG_DIAG_COLUMN_NAME, "a column"),
             err_generic_string(PG_DIAG_CONSTRAINT_NAME, "a constraint"),
             err_generic_string(PG_DIAG_DATATYPE_NAME, "a type")));
}

/// Call one of the functions below through PostgreSQL, like a query of the extension.
Datum through_postgres(PGFunction function, const char *argument) {
    return call([&] { return DirectFunctionCall1(function, CStringGetTextDatum(argument)); });
}

extern "C" Datum boundary_fail(PG_FUNCTION_ARGS);

[[noreturn]] void throw_error() {
    throw Error("SB001", "thrown by us").with_detail("our detail").with_hint("our hint");
}

void dangling_context_line(void *) {
    errcontext("a frame that is gone");
}

/// Throw while the state of the server still refers to this frame and its memory.
void throw_with_state_changed() {
    ErrorContextCallback here{error_context_stack, dangling_context_line, nullptr};
    error_context_stack = &here;
    MemoryContext mine = call([] { return AllocSetContextCreate(CurrentMemoryContext, "mine", ALLOCSET_SMALL_SIZES); });
    MemoryContextSwitchTo(mine);
    throw_error();
}

/// Allocate more memory than any machine has, in C++.
/// Allocate too much memory in a way that no compiler may remove.
void exhaust_cpp_memory() {
    ::operator delete(::operator new(std::size_t(1) << 46));
}

void cancel_query() {
    call([] {
        InterruptPending = true;
        QueryCancelPending = true;
        CHECK_FOR_INTERRUPTS();
    });
}

struct Way {
    const char *name;
    void (*fail)();
};

const Way ways[] = {
    {"postgres", [] { call(raise_full_error); }},
    {"error", [] { throw_error(); }},
    {"error without detail", [] { throw Error("SB002", "thrown by us"); }},
    {"error with a bad state", [] { throw Error("X", "thrown by us"); }},
    {"exception", [] { throw std::runtime_error("a standard exception"); }},
    {"not an exception", [] { throw 42; }},
    {"bad_alloc", [] { exhaust_cpp_memory(); }},
    {"palloc", [] { call([] { MemoryContextAllocHuge(CurrentMemoryContext, std::size_t(1) << 46); }); }},
    {"error inside call", [] { call([] { throw_error(); }); }},
    {"exception inside call", [] { call([] { throw std::runtime_error("through Postgres's frames"); }); }},
    {"postgres below us", [] { through_postgres(boundary_fail, "postgres"); }},
    {"error below us", [] { through_postgres(boundary_fail, "error"); }},
    {"two levels below us", [] { through_postgres(boundary_fail, "error below us"); }},
    {"rethrown",
     [] {
         try {
             call(raise_full_error);
         } catch (...) {
             throw;
         }
     }},
    {"undone and raised again",
     [] {
         Probe probe;
         if (std::optional<UndoneError> error = attempt([] { call(raise_full_error); }))
             error->raise();
     }},
    {"explained",
     [] {
         explaining([] { call(raise_full_error); },
                    [](const ErrorReport &error) {
                        return std::optional(Error(error.sqlstate, "better: " + error.message)
                                                 .with_detail(error.detail + ", " + error.constraint)
                                                 .with_hint(error.hint));
                    });
     }},
    {"not explained",
     [] { explaining([] { call(raise_full_error); }, [](const ErrorReport &) { return std::optional<Error>(); }); }},
    {"ours is not explained",
     [] {
         explaining([] { throw_error(); }, [](const ErrorReport &) { return std::optional(Error("XX000", "no")); });
     }},
    {"destructor fails meanwhile",
     [] {
         FailsAtEnd last;
         throw_error();
     }},
    {"state changed", [] { throw_with_state_changed(); }},
    {"cancel", [] { cancel_query(); }},
    {"explained cancel",
     [] { explaining(cancel_query, [](const ErrorReport &) { return std::optional(Error("XX000", "no")); }); }},
    {"undone exception", [] { (void)attempt([] { throw std::runtime_error("neither Postgres's nor ours"); }); }},
    {"transaction still open", [] { (void)attempt_transactions([] { throw_error(); }); }},
    // An error that skips destructors, to show that the tests would detect it.
    {"unguarded", [] { raise_full_error(); }},
};

/// Fail in the named way, with probes in every frame.
void fail(std::string_view name) {
    Probe probe;
    for (const Way &way : ways)
        if (name == way.name)
            way.fail();
}

std::string text_argument(FunctionCallInfo fcinfo, int number) {
    char *argument = call([&] { return text_to_cstring(PG_GETARG_TEXT_PP(number)); });
    return argument;
}

Datum text_result(const std::string &text) {
    return call([&] { return PointerGetDatum(cstring_to_text_with_len(text.data(), static_cast<int>(text.size()))); });
}

/// Run a statement, as a body for functions that use a subtransaction.
std::function<void()> running(const std::string &statement) {
    return [statement] {
        Probe probe;
        call([&] {
            SPI_connect();
            SPI_execute(statement.c_str(), false, 0);
            SPI_finish();
        });
    };
}

Datum outcome(const std::optional<UndoneError> &error) {
    return text_result(error ? error->sqlstate + ": " + error->message : "done");
}

} // namespace

extern "C" {
PG_MODULE_MAGIC;
}

SNAPBACK_FUNCTION(boundary_fail) {
    Probe probe;
    fail(text_argument(fcinfo, 0));
    return text_result("did not fail");
}

SNAPBACK_FUNCTION(boundary_attempt) {
    Probe probe;
    return outcome(attempt(running(text_argument(fcinfo, 0))));
}

SNAPBACK_FUNCTION(boundary_attempt_but_for) {
    Probe probe;
    return outcome(attempt(running(text_argument(fcinfo, 0)), text_argument(fcinfo, 1).c_str()));
}

SNAPBACK_FUNCTION(boundary_try_out) {
    Probe probe;
    return outcome(try_out(running(text_argument(fcinfo, 0))));
}

SNAPBACK_FUNCTION(boundary_destructor_fails) {
    { FailsAtEnd last; }
    return text_result("went on");
}

SNAPBACK_FUNCTION(boundary_alive) {
    return Int32GetDatum(alive);
}

SNAPBACK_FUNCTION(boundary_ways) {
    std::string names;
    for (const Way &way : ways)
        names += names.empty() ? way.name : std::string(",") + way.name;
    return text_result(names);
}
