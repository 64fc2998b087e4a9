// The module's entry points for the server: the magic block and the initialization of the library.
#include "core/slices.hpp"
#include "guard/awaited_parents.hpp"
#include "guard/community_lock.hpp"
#include "guard/departures.hpp"
#include "guard/guarded_path.hpp"
#include "guard/pending_notes.hpp"
#include "guard/restore_epoch.hpp"
#include "postgres/error/boundary.hpp"
#include "postgres/exec/deferred_checks.hpp"
#include "postgres/exec/oldest_snapshot.hpp"
#include "postgres/exec/running_at_commit.hpp"
#include "settings/settings.hpp"

extern "C" {
PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void _PG_init(void) {
    snapback::entry([] {
        snapback::between_slices = snapback::check_for_interrupts;
        snapback::define_settings();
        snapback::reserve_list_of_running();
        snapback::watch_community_locks();
        snapback::watch_restores();
        snapback::watch_snapshots();
        snapback::watch_guarded_paths();
        snapback::watch_pending_notes();
        snapback::watch_awaited_parents(); // the last to listen to commits is the first to hear
        snapback::watch_departures();
        snapback::DeferredChecks::watch_statements();
    });
}
}
