// Registration steps that SQL cannot do: lock a relation of any kind, and check a filter.
#include "postgres/exec/as_owner.hpp"
#include "postgres/spi/row_filter.hpp"
#include "postgres/spi/value.hpp"

using namespace snapback;

SNAPBACK_FUNCTION(snapback_check_filter) {
    check_row_filter(PG_GETARG_OID(0), string_from_varlena(PG_GETARG_DATUM(1)));
    PG_RETURN_VOID();
}

SNAPBACK_FUNCTION(snapback_lock_relation) {
    lock_and_get_owner(PG_GETARG_OID(0));
    PG_RETURN_VOID();
}
