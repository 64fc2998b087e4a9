#include "postgres/spi/statement_text.hpp"

#include "postgres/error/boundary.hpp"

extern "C" {
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
}

namespace snapback {

void show_as_statement(const char *text) {
    call([&] { pgstat_report_activity(STATE_RUNNING, text); });
    debug_query_string = text; // the server replaces it at the next statement
}

} // namespace snapback
