// The trigger on every protected table: refuses writes to a community that is being restored, and writes by those who
// may have read it before its restore.
#include <set>

#include "guard/admit_writer.hpp"
#include "guard/awaited_parents.hpp"
#include "guard/path_builder.hpp"
#include "guard/restore_epoch.hpp"
#include "guard/row_community.hpp"

extern "C" {
#include "commands/trigger.h"
}

namespace snapback {

namespace {

/// Visit the communities that one version of a row belongs to; of no use where the path is of kind `unknown`. Return
/// whether no parent on the way is missing.
bool visit_communities(const GuardedPath &path, TupleTableSlot *row, const CommunityVisitor &visit) {
    switch (path.kind) {
    case GuardedPath::Kind::column:
        visit_community_in_column(path, row, visit);
        return true;
    case GuardedPath::Kind::chain:
        return visit_communities_of_key(path, start_key(path, row), visit);
    case GuardedPath::Kind::fixed:
        visit(*path.community);
        return true;
    default:
        return true;
    }
}

/// Guard one version of a row; return whether no parent on the way is missing.
bool guard_row(const GuardedPath &path, TupleTableSlot *row) {
    if (path.kind == GuardedPath::Kind::unknown)
        admit_writer_to_all();
    return visit_communities(path, row, admit_writer);
}

/// Guard a version that is to be there afterwards: its parent may be yet to come.
void guard_new_row(Oid relation, const GuardedPath &path, TupleTableSlot *row) {
    if (!guard_row(path, row))
        await_parent(relation, path, start_key(path, row));
}

/// Guard those who are not there: where other rows come to their community through this one, they move along with it,
/// and whoever writes to them went by where they were.
void guard_children(Oid relation, GuardedPath &path, const TriggerData &event) {
    std::set<std::uint64_t> stays;
    visit_communities(path, event.tg_newslot,
                      [&](const WrittenCommunity &community) { stays.insert(community.key()); });
    visit_communities(path, event.tg_trigslot, [&](const WrittenCommunity &community) {
        if (stays.contains(community.key()) || !leads_children(relation, path))
            return;
        exclude_other_writers(community);
        forget_guarded_paths(); // those who have followed a path, but have no lock yet, follow it anew
    });
}

/// Guard all that is written: the row as it was, as it will be, and what moves along.
void guard_versions(Oid relation, GuardedPath &path, const TriggerData &event) {
    if (TRIGGER_FIRED_BY_INSERT(event.tg_event))
        return guard_new_row(relation, path, event.tg_trigslot);
    guard_row(path, event.tg_trigslot);
    if (!TRIGGER_FIRED_BY_UPDATE(event.tg_event) || same_start(path, event.tg_trigslot, event.tg_newslot))
        return;
    guard_new_row(relation, path, event.tg_newslot);
    guard_children(relation, path, event);
}

/// Guard what a row trigger was called for; return the row to be written, as it came.
Datum guard_written_row(const TriggerData &event) {
    Oid relation = RelationGetRelid(event.tg_relation);
    // With a lock that is new come messages: the path, or a parent on it, may have changed after it was followed.
    std::shared_ptr<GuardedPath> path;
    do {
        path = guarded_path(relation);
        guard_versions(relation, *path, event);
    } while (!path->current);
    return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(event.tg_event) ? event.tg_newtuple : event.tg_trigtuple);
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
    find_earlier_reads(RelationGetRelid(event.tg_relation));
    if (TRIGGER_FIRED_FOR_ROW(event.tg_event))
        return guard_written_row(event);
    admit_writer_to_all();
    return PointerGetDatum(nullptr);
}
