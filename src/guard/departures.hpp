#pragma once
// Decides what is noted about a written row: which communities its key left, and which tables lost or gained rows
// because their path leads through it.
#include "guard/guarded_path.hpp"
#include "guard/pending_notes.hpp"

extern "C" {
#include "commands/trigger.h"
}

namespace snapback {

/// The communities of a row version, in the form of notes.
using NotePlaces = std::vector<NotePlace>;

/// The communities of the old and the new version of a row, as far as the guard has determined them.
struct WrittenPlaces {
    NotePlaces before;
    NotePlaces after;
    bool lost_parent = false; // the old version has a parent that no longer exists
};

/// Note what follows from a write that the guard has admitted.
void note_written_row(Oid relation, GuardedPath &path, const TriggerData &event, WrittenPlaces places);

/// Note what follows from TRUNCATE.
void note_truncation(const GuardedPath &path);

/// Register the listener for the ends of transactions; called once at load.
void watch_departures();

} // namespace snapback
