// The SQL face of capture.
#include "postgres/arguments.hpp"
#include "snapshot/capture.hpp"

namespace snapback {

SNAPBACK_FUNCTION(snapback_capture_batch) {
    CaptureOrder order{text_array_argument(fcinfo, 0), text_argument(fcinfo, 1), std::nullopt};
    if (std::string label = text_argument(fcinfo, 2); !label.empty())
        order.label = label;
    std::vector<std::string> ids;
    for (const Manifest &manifest : capture(order))
        ids.push_back(manifest.id);
    return Value::uuid_array(ids).datum;
}

} // namespace snapback
