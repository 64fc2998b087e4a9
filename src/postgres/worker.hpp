#pragma once
// Background workers: asking for one when the transaction commits, and what each of ours does around its work.
#include <cstdint>

#include "postgres/boundary.hpp"

namespace snapback {

/// A kind of worker: the C function that is its main, and its title in the process list. Lives as long as the library.
struct WorkerKind {
    const char *main;
    const char *title;
};

/// Start a worker of this kind in this database when the transaction commits; asked for twice, one is started. Where
/// the server has no worker slot left none is started, so the queue run must ask again for work that is left.
void start_worker_at_commit(const WorkerKind &kind);

/// Run a worker's work: connect to the database as the extension's owner, then call the body. Where the extension is
/// dropped meanwhile, that ends the work, and is no failure.
void run_worker(Datum database, void (*work)());

/// Connect this worker to a database as a role. Of what is set for the database or the role (ALTER DATABASE, ALTER
/// ROLE: role, search path, timeouts, transaction defaults ...) only the extension's own settings, snapback.*, reach
/// it.
void connect_worker(Oid database, Oid role);

/// Whether somebody waits to have this database for themselves: to drop or rename it, or to make another one of it.
bool database_is_wanted();

/// Have a worker of this kind go on in this one's place, once whoever wants the database has had it.
void hand_over_to(const WorkerKind &kind);

/// Let the server have its way with this worker: end it where it was told to, take over changed settings.
void serve_interrupts();

/// Sleep for so long, or until the worker is told something.
void sleep_in_worker(std::int64_t milliseconds);

/// A transaction of a worker's, with a snapshot, that the extension is kept for; rolled back unless committed.
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
