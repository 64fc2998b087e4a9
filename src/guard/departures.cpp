#include "guard/departures.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "guard/path_builder.hpp"
#include "guard/row_community.hpp"
#include "postgres/exec/invalidation.hpp"

extern "C" {
#include "common/hashfn.h"
}

namespace snapback {

namespace {

bool contains(const NotePlaces &places, NotePlace place) {
    return std::find(places.begin(), places.end(), place) != places.end();
}

NotePlaces without(const NotePlaces &places, const NotePlaces &others) {
    NotePlaces rest;
    for (NotePlace place : places)
        if (!contains(others, place))
            rest.push_back(place);
    return rest;
}

void note_full_reads(const NotePlaces &places, std::int32_t table) {
    for (NotePlace place : places)
        note_full_read(place, table);
}

// A parent that a transaction removes and inserts again takes its children with it, if it belongs to another community
// then: NO ACTION accepts the new parent in place of the old one.
struct RemovedParent {
    std::int32_t child; // the table that refers to it
    NotePlaces places;
};
std::unordered_multimap<std::uint64_t, RemovedParent> removed_parents; // by referenced values
constexpr std::size_t most_removed_parents = 10000;
// Per table: the communities of all parents that this transaction has removed.
std::map<std::int32_t, std::set<NotePlace>> places_of_removed_parents;

void forget_removed_parents() noexcept {
    removed_parents.clear();
    places_of_removed_parents.clear();
}

/// Whether foreign keys may refer to the rows of a relation. They have triggers on it.
bool is_referenced(Relation relation) {
    const TriggerDesc *triggers = relation->trigdesc;
    for (int i = 0; triggers && i < triggers->numtriggers; i++)
        if (RI_FKey_trigger_type(triggers->triggers[i].tgfoid) == RI_TRIGGER_PK)
            return true;
    return false;
}

/// Whether the foreign keys' triggers do not fire, so that children may lack a parent.
bool keys_are_off() {
    return SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA;
}

/// A hash of the values that children refer to; nothing if one is NULL. Equal values have equal hashes.
std::optional<std::uint64_t> hash_of(const LedTable &led, TupleTableSlot *row) {
    std::string image(reinterpret_cast<const char *>(&led.table), sizeof(led.table));
    if (led.compares_bytes && !append_image(image, led.referenced, row))
        return std::nullopt;
    return hash_bytes_extended(reinterpret_cast<const unsigned char *>(image.data()), static_cast<int>(image.size()),
                               0);
}

/// A row is gone from the values that a table's rows refer to.
void note_removed_parent(const LedTable &led, TupleTableSlot *row, const NotePlaces &places) {
    std::optional<std::uint64_t> hash = hash_of(led, row);
    if (!hash)
        return;
    places_of_removed_parents[led.table].insert(places.begin(), places.end());
    if (keys_are_off() || removed_parents.size() >= most_removed_parents)
        note_full_reads(places, led.table);
    else
        removed_parents.emplace(*hash, RemovedParent{led.table, places});
}

/// A row is new at the values that a table's rows refer to.
void note_added_parent(const LedTable &led, TupleTableSlot *row, const NotePlaces &places) {
    if (keys_are_off())
        note_full_reads(places, led.table);
    std::optional<std::uint64_t> hash = hash_of(led, row);
    if (!hash)
        return;
    auto [at, end] = removed_parents.equal_range(*hash);
    for (; at != end; ++at)
        if (at->second.child == led.table && at->second.places != places) {
            note_full_reads(at->second.places, led.table);
            note_full_reads(places, led.table);
        }
}

void note_inserted_parent(Oid relation, GuardedPath &path, const TriggerData &event, const NotePlaces &after) {
    if ((removed_parents.empty() && !keys_are_off()) || !is_referenced(event.tg_relation))
        return;
    for (const LedTable &led : led_tables(relation, path))
        note_added_parent(led, event.tg_trigslot, after);
}

void note_deleted_parent(Oid relation, GuardedPath &path, const TriggerData &event, const NotePlaces &before) {
    if (!is_referenced(event.tg_relation))
        return;
    for (const LedTable &led : led_tables(relation, path))
        note_removed_parent(led, event.tg_trigslot, before);
}

/// Note the tables whose rows follow an updated row to another community, or lose or gain it as their parent.
void note_updated_parent(Oid relation, GuardedPath &path, const TriggerData &event, const WrittenPlaces &places) {
    bool moved = places.before != places.after;
    bool other_values = !same_image(path.unique, event.tg_trigslot, event.tg_newslot);
    if ((!moved && !other_values) || !is_referenced(event.tg_relation))
        return;
    for (const LedTable &led : led_tables(relation, path)) {
        if (!same_image(led.referenced, event.tg_trigslot, event.tg_newslot)) {
            note_removed_parent(led, event.tg_trigslot, places.before);
            note_added_parent(led, event.tg_newslot, places.after);
        } else if (moved) {
            note_full_reads(without(places.before, places.after), led.table);
            note_full_reads(without(places.after, places.before), led.table);
        }
    }
}

/// Add the communities to which the old version belonged before its parent was removed.
void add_earlier_places(const GuardedPath &path, TupleTableSlot *row, NotePlaces &places) {
    if (visit_communities_of_key(
            path, start_key(path, row), [&](const WrittenCommunity &community) { places.push_back(community.key()); },
            KeyLookup::Rows::earlier))
        return;
    // The parent was also inserted, or got its key, in this transaction: the row may have belonged to any that is gone.
    const std::set<NotePlace> &removed = places_of_removed_parents[path.table];
    if (removed.size() == 1)
        places.push_back(*removed.begin());
    else
        for (NotePlace place : removed)
            note_full_read(place, path.table);
}

/// A row was written that may belong to any community, and so may the rows that it leads to.
void note_unknown_communities(Oid relation, GuardedPath &path) {
    note_full_read(all_communities, path.table);
    for (const LedTable &led : led_tables(relation, path))
        note_full_read(all_communities, led.table);
}

} // namespace

void note_written_row(Oid relation, GuardedPath &path, const TriggerData &event, WrittenPlaces places) {
    if (path.kind == GuardedPath::Kind::none)
        return;
    bool may_change = path.overtaken && !TRIGGER_FIRED_BY_DELETE(event.tg_event);
    if (path.kind == GuardedPath::Kind::unknown || may_change)
        return note_unknown_communities(relation, path);
    if (TRIGGER_FIRED_BY_INSERT(event.tg_event))
        return note_inserted_parent(relation, path, event, places.after);
    if (places.lost_parent)
        add_earlier_places(path, event.tg_trigslot, places.before);
    bool keeps_key = TRIGGER_FIRED_BY_UPDATE(event.tg_event) && path.key &&
                     same_image(path.key->columns, event.tg_trigslot, event.tg_newslot);
    for (NotePlace place : keeps_key ? without(places.before, places.after) : places.before)
        note_removed_key(place, path.table, path.key, event.tg_trigslot);
    if (TRIGGER_FIRED_BY_UPDATE(event.tg_event))
        note_updated_parent(relation, path, event, places);
    else
        note_deleted_parent(relation, path, event, places.before);
}

void note_truncation(const GuardedPath &path) {
    if (path.kind != GuardedPath::Kind::none)
        note_full_read(OidIsValid(path.own_table) ? path.own_table : all_communities, path.table);
}

void watch_departures() {
    hear_of_transaction_ends(forget_removed_parents);
}

} // namespace snapback
