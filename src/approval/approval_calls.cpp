// What requests and approvals need that SQL cannot do: locks of our own class, workers at commit, hidden statements.
#include "approval/workers.hpp"
#include "postgres/own_lock.hpp"
#include "postgres/statement_text.hpp"
#include "postgres/value.hpp"

using namespace snapback;

SNAPBACK_FUNCTION(snapback_hide_statement) {
    show_as_statement("snapback: looking at or approving a request");
    return Datum{0};
}

SNAPBACK_FUNCTION(snapback_lock_requests) {
    lock_in_transaction(LockPurpose::community_requests, string_from_varlena(PG_GETARG_DATUM(0)));
    return Datum{0};
}

SNAPBACK_FUNCTION(snapback_restore_is_abandoned) {
    std::string restore = text_from_datum(PG_GETARG_DATUM(0), UUIDOID);
    return BoolGetDatum(try_lock_in_transaction(LockPurpose::restore_at_work, restore));
}

SNAPBACK_FUNCTION(snapback_start_worker) {
    std::string work = string_from_varlena(PG_GETARG_DATUM(0));
    if (work != "mail" && work != "restore")
        throw Error(sqlstate::invalid_parameter, "there is no worker for \"" + work + "\"")
            .with_hint("The workers are mail and restore.");
    start_worker_at_commit(work == "mail" ? mail_worker : restore_worker);
    return Datum{0};
}
