#pragma once
// Background workers: start them at commit, and run their work.
#include <cstdint>

#include "postgres/error/boundary.hpp"

namespace snapback {

/// A kind of worker: its C main function and its title in the process list. Lives as long as the library.
struct WorkerKind {
    const char *main;
    const char *title;
};

/// Start a worker of this kind in this database at commit, at most once per transaction. If no worker slot is free,
/// none is started; the queue run must request a worker again for the remaining work.
void start_worker_at_commit(const WorkerKind &kind);

/// Connect to the database as the extension's owner and run the work. If the extension is dropped meanwhile, the work
/// ends without an error.
void run_worker(Datum database, void (*work)());

/// Connect this worker to a database as a role. Settings of ALTER DATABASE and ALTER ROLE (role, search path, timeouts,
/// transaction defaults) do not apply, except the extension's settings, snapback.*.
void connect_worker(Oid database, Oid role);

/// Whether a session waits for exclusive access to this database: to drop or rename it, or to use it as a template.
bool database_is_wanted();

/// Start a worker of this kind in place of this one, once the database accepts connections again.
void hand_over_to(const WorkerKind &kind);

/// Process interrupts: exit if requested, and reload changed settings.
void serve_interrupts();

/// Sleep for this time, or until the worker's latch is set.
void sleep_in_worker(std::int64_t milliseconds);

/// A transaction of a worker, with a snapshot and a lock on the extension. Rolls back unless committed.
class WorkerTransaction {
public:
    WorkerTransaction();
    ~WorkerTransaction();
    WorkerTransaction(const WorkerTransaction &) = delete;
    WorkerTransaction &operator=(const WorkerTransaction &) = delete;
    void commit();

private:
    explicit WorkerTransaction(bool open) : open_(open) {}

    bool open_;
};

} // namespace snapback
