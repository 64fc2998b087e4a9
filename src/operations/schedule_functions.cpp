// SQL functions of the schedule.
#include "postgres/spi/arguments.hpp"
#include "postgres/worker/other_database.hpp"

namespace snapback {

namespace {

/// Require a superuser: statements in another database bypass its privileges.
void require_superuser() {
    if (!call([] { return superuser(); }))
        throw Error(sqlstate::insufficient_privilege, "only superusers may run statements in another database");
}

} // namespace

SNAPBACK_FUNCTION(snapback_run_in_database) {
    require_superuser();
    std::optional<std::string> result =
        run_in_database(text_from_datum(PG_GETARG_DATUM(0), NAMEOID), text_argument(fcinfo, 1));
    if (!result)
        PG_RETURN_NULL();
    return Value::text(*result).datum;
}

} // namespace snapback
