#pragma once

namespace snapback {

/// Let other processes go first from now on, for as long as this one lives: a worker whose work can wait.
void give_way();

} // namespace snapback
