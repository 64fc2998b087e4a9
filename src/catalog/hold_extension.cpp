#include "postgres/error/boundary.hpp"
#include "postgres/lock/heavy_lock.hpp"

using namespace snapback;

SNAPBACK_FUNCTION(snapback_hold_extension) {
    hold_extension();
    return Datum{0};
}
