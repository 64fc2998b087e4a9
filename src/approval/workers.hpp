#pragma once
#include "postgres/worker/worker.hpp"

namespace snapback {

/// Sends due mail.
extern const WorkerKind mail_worker;
/// Runs queued restores.
extern const WorkerKind restore_worker;

} // namespace snapback
