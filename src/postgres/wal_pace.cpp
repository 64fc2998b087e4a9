#include "postgres/wal_pace.hpp"

#include <unistd.h>

#include "postgres/boundary.hpp"

extern "C" {
#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "executor/instrument.h"
#include "storage/fd.h"
}

namespace snapback {
namespace {

/// Sync the segment that is being written, by a descriptor of our own. XLogFlush would hold WALWriteLock meanwhile, and
/// every commit of others would wait for the disk twice. The segments before were synced as they were finished.
void sync_segment(XLogRecPtr written) {
    XLogSegNo segment;
    XLByteToPrevSeg(written, segment, wal_segment_size);
    char path[MAXPGPATH];
    XLogFilePath(path, GetWALInsertionTimeLine(), segment, wal_segment_size);
    int file = OpenTransientFile(path, O_RDWR | PG_BINARY);
    if (file < 0)
        return; // recycled since, and on disk; or else it is left to whoever commits
    // The kernel tells of an error once, and then calls the pages clean: who syncs them next would believe it.
    if (pg_fdatasync(file) != 0)
        ereport(PANIC, errcode_for_file_access(), errmsg("could not fdatasync file \"%s\": %m", path));
    CloseTransientFile(file);
}

} // namespace

WalPace::WalPace(std::uint64_t bytes) : bytes_(bytes), synced_(pgWalUsage.wal_bytes) {}

void WalPace::keep() {
    if (bytes_ == 0 || pgWalUsage.wal_bytes - synced_ < bytes_)
        return;
    Clock::time_point began = Clock::now();
    if (began < not_before_)
        return;
    call([] {
        XLogBackgroundFlush(); // which writes, and flushes only each wal_writer_delay
        sync_segment(GetXLogWriteRecPtr());
    });
    Clock::time_point ended = Clock::now();
    synced_ = pgWalUsage.wal_bytes;
    not_before_ = ended + (ended - began);
}

} // namespace snapback
