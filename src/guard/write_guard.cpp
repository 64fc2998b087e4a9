// The trigger on every protected table: refuses writes to a community that is being restored, and writes by those who
// may have read it before its restore.
#include "guard/restore_epoch.hpp"
#include "guard/row_community.hpp"
#include "postgres/invalidation.hpp"

extern "C" {
#include "commands/trigger.h"
}

namespace snapback {

namespace {

void guard(const WrittenCommunity &community) {
    if (lock_for_write(community))
        accept_invalidations(); // of a restore that ended just before
    refuse_stale_write(community);
}

void guard_all_communities() {
    if (lock_all_for_write())
        accept_invalidations();
    refuse_stale_write_to_any();
}

/// Guard one version of a row.
void guard_row(const GuardedPath &path, TupleTableSlot *row) {
    switch (path.kind) {
    case GuardedPath::Kind::none:
        return;
    case GuardedPath::Kind::column:
        visit_community_in_column(path, row, guard);
        return;
    case GuardedPath::Kind::chain:
        visit_communities_through_chain(path, row, guard);
        return;
    case GuardedPath::Kind::fixed:
        guard(*path.community);
        return;
    case GuardedPath::Kind::unknown:
        guard_all_communities();
        return;
    }
}

/// Guard what a row trigger was called for; return the row to be written, as it came.
Datum guard_written_row(const TriggerData &event) {
    std::shared_ptr<GuardedPath> path = guarded_path(RelationGetRelid(event.tg_relation));
    guard_row(*path, event.tg_trigslot);
    if (!TRIGGER_FIRED_BY_UPDATE(event.tg_event))
        return PointerGetDatum(event.tg_trigtuple);
    if (!same_start(*path, event.tg_trigslot, event.tg_newslot))
        guard_row(*path, event.tg_newslot); // into another community: neither may be under restore
    return PointerGetDatum(event.tg_newtuple);
}

} // namespace

} // namespace snapback

SNAPBACK_FUNCTION(snapback_write_guard) {
    using namespace snapback;
    if (!CALLED_AS_TRIGGER(fcinfo))
        throw Error(sqlstate::trigger_protocol_violated, "snapback.write_guard() is a trigger function");
    const auto &event = *reinterpret_cast<TriggerData *>(fcinfo->context);
    if (!TRIGGER_FIRED_BEFORE(event.tg_event) ||
        TRIGGER_FIRED_FOR_ROW(event.tg_event) == TRIGGER_FIRED_BY_TRUNCATE(event.tg_event))
        throw Error(sqlstate::trigger_protocol_violated,
                    "snapback.write_guard() guards rows before they are written, and tables before TRUNCATE")
            .with_hint("Have snapback.install_guard() make the triggers.");
    if (TRIGGER_FIRED_FOR_ROW(event.tg_event))
        return guard_written_row(event);
    guard_all_communities();
    return PointerGetDatum(nullptr);
}
