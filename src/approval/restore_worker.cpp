// The restore worker runs approved restores in the background.
#include <optional>

#include "approval/workers.hpp"
#include "postgres/lock/heavy_lock.hpp"
#include "postgres/spi/query.hpp"

namespace snapback {

const WorkerKind restore_worker{"snapback_restore_worker_main", "pg_snapback restore worker"};

namespace {

/// Mark the restore that was queued first as running, and hold a session lock that shows who runs it.
std::optional<std::string> claim_restore() {
    std::optional<std::string> restore;
    WorkerTransaction transaction;
    {
        Query query;
        restore = query.run("SELECT snapback_internal.claim_restore()")[0].optional_text(1);
        if (restore) {
            take_session_lock(LockSpace::restore_at_work, lock_key(*restore), true);
            query.run("UPDATE snapback.restore_run SET state = 'running', started_at = clock_timestamp() WHERE id = $1",
                      {Value::uuid(*restore)});
        }
    }
    transaction.commit();
    return restore;
}

void execute(const std::string &restore) {
    WorkerTransaction transaction;
    {
        Query query;
        query.run("SELECT snapback_internal.execute_requested_restore($1)", {Value::uuid(restore)});
    }
    transaction.commit();
}

/// Record why a restore failed, in a new transaction: that of the restore was rolled back.
void note_failure(const std::string &restore, std::string_view sqlstate, std::string_view message) {
    WorkerTransaction transaction;
    {
        Query query;
        query.run("SELECT snapback_internal.note_restore_failure($1, 'failed', $2, $3)",
                  {Value::uuid(restore), Value::text(sqlstate), Value::text(message)});
    }
    transaction.commit();
}

/// Run one restore, or record its failure.
void run_restore(const std::string &restore) {
    if (std::optional<UndoneError> error = attempt_transactions([&] { execute(restore); }))
        note_failure(restore, error->sqlstate, error->message);
    release_session_lock(LockSpace::restore_at_work, lock_key(restore));
}

void run_queue() {
    while (std::optional<std::string> restore = claim_restore()) {
        run_restore(*restore);
        serve_interrupts();
        if (database_is_wanted())
            return hand_over_to(restore_worker);
    }
}

} // namespace
} // namespace snapback

extern "C" {
PGDLLEXPORT void snapback_restore_worker_main(Datum database);

void snapback_restore_worker_main(Datum database) {
    snapback::entry([&] { snapback::run_worker(database, snapback::run_queue); });
}
}
