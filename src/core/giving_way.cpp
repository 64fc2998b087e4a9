#include "core/giving_way.hpp"

#include <sys/resource.h>

namespace snapback {

// There is no way back from this but for root, so it is nothing for a session's own thread.
void give_way() {
    setpriority(PRIO_PROCESS, 0, 10); // in Linux the thread's; where it is refused, the work is done all the same
}

} // namespace snapback
