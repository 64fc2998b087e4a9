#include "postgres/giving_way.hpp"

#include <sys/resource.h>

namespace snapback {

// There is no way back from this for a process that is not root's, so it is nothing for a session.
void give_way() {
    setpriority(PRIO_PROCESS, 0, 10); // where it is refused, the work is done all the same
}

} // namespace snapback
