#pragma once
#include "postgres/worker/worker.hpp"

namespace snapback {

/// Sends the mail that is due.
extern const WorkerKind mail_worker;
/// Carries out the restores that are queued.
extern const WorkerKind restore_worker;

} // namespace snapback
