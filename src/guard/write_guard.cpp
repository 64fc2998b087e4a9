// The trigger on protected tables. It rejects writes to a community that is being restored, and writes by transactions
// that may have read data from before a restore.
#include <set>

#include "guard/admit_writer.hpp"
#include "guard/awaited_parents.hpp"
#include "guard/departures.hpp"
#include "guard/path_builder.hpp"
#include "guard/restore_epoch.hpp"
#include "guard/row_community.hpp"

namespace snapback {

namespace {

/// Visit the communities of one row version, except for paths of kind `unknown`. Return false if a parent is missing.
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

/// The community of a visited row, in the form of notes.
NotePlace place_of(const GuardedPath &path, const WrittenCommunity &community) {
    return OidIsValid(path.own_table) ? path.own_table : community.key();
}

/// Guard one version of a row, and add its communities to the places. Return false if a parent is missing.
bool guard_row(const GuardedPath &path, TupleTableSlot *row, NotePlaces &places) {
    if (path.kind == GuardedPath::Kind::unknown)
        admit_writer_to_all();
    return visit_communities(path, row, [&](const WrittenCommunity &community) {
        admit_writer(community);
        places.push_back(place_of(path, community));
    });
}

/// Guard the new version of a row. Its parent may be inserted later.
void guard_new_row(Oid relation, const GuardedPath &path, TupleTableSlot *row, bool moved, NotePlaces &places) {
    if (!guard_row(path, row, places))
        await_parent(relation, path, start_key(path, row), moved);
}

/// Guard the children of a row. They move with it to another community, while their writers lock the previous one.
void guard_children(Oid relation, GuardedPath &path, const TriggerData &event) {
    std::set<std::uint64_t> stays;
    visit_communities(path, event.tg_newslot,
                      [&](const WrittenCommunity &community) { stays.insert(community.key()); });
    visit_communities(path, event.tg_trigslot, [&](const WrittenCommunity &community) {
        if (stays.contains(community.key()) || led_tables(relation, path).empty())
            return;
        exclude_other_writers(community);
        forget_guarded_paths(); // writers that have followed a path but have no lock yet must follow it again
    });
}

/// Guard the old and the new version of a row, and the rows that move with it. Return where it belonged and belongs.
WrittenPlaces guard_versions(Oid relation, GuardedPath &path, const TriggerData &event) {
    WrittenPlaces places;
    if (TRIGGER_FIRED_BY_INSERT(event.tg_event)) {
        guard_new_row(relation, path, event.tg_trigslot, false, places.after);
        return places;
    }
    places.lost_parent = !guard_row(path, event.tg_trigslot, places.before);
    if (!TRIGGER_FIRED_BY_UPDATE(event.tg_event))
        return places;
    if (same_image(path.columns, event.tg_trigslot, event.tg_newslot)) {
        places.after = places.before;
        return places;
    }
    guard_new_row(relation, path, event.tg_newslot, true, places.after);
    guard_children(relation, path, event);
    return places;
}

/// Guard the row of a row trigger, and note which communities it leaves. Return the row to write, unchanged.
Datum guard_written_row(const TriggerData &event) {
    Oid relation = RelationGetRelid(event.tg_relation);
    // Taking a new lock processes invalidations: the path may have changed after it was followed.
    std::shared_ptr<GuardedPath> path;
    WrittenPlaces places;
    do {
        path = guarded_path(relation);
        places = guard_versions(relation, *path, event);
    } while (!path->current);
    note_written_row(relation, *path, event, std::move(places));
    return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(event.tg_event) ? event.tg_newtuple : event.tg_trigtuple);
}

} // namespace

} // namespace snapback

SNAPBACK_FUNCTION(snapback_write_guard) {
    using namespace snapback;
    if (!CALLED_AS_TRIGGER(fcinfo))
        throw Error(sqlstate::trigger_protocol_violated, "snapback_internal.write_guard() is a trigger function");
    const auto &event = *reinterpret_cast<TriggerData *>(fcinfo->context);
    if (!TRIGGER_FIRED_BEFORE(event.tg_event) ||
        TRIGGER_FIRED_FOR_ROW(event.tg_event) == TRIGGER_FIRED_BY_TRUNCATE(event.tg_event))
        throw Error(sqlstate::trigger_protocol_violated,
                    "snapback_internal.write_guard() must be fired BEFORE, for each row or for TRUNCATE")
            .with_hint("Call snapback.install_guards() to create the triggers.");
    find_earlier_reads(RelationGetRelid(event.tg_relation));
    if (TRIGGER_FIRED_FOR_ROW(event.tg_event))
        return guard_written_row(event);
    admit_writer_to_all();
    note_truncation(*guarded_path(RelationGetRelid(event.tg_relation)));
    return PointerGetDatum(nullptr);
}
