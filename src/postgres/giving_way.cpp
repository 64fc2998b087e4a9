#include "postgres/giving_way.hpp"

#include <sys/resource.h>

#include <fstream>

namespace snapback {

// There is no way back from this for a process that is not root's, so it is nothing for a session.
void give_way() {
    setpriority(PRIO_PROCESS, 0, 10); // where it is refused, the work is done all the same
    // Linux may share the processors among sessions first, and then only among a session's processes. Every server
    // process is a session of its own, so that there only this counts for the others.
    std::ofstream("/proc/self/autogroup") << 10;
}

} // namespace snapback
