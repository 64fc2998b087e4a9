// SQL functions for captures.
#include "postgres/spi/arguments.hpp"
#include "snapshot/capture.hpp"

extern "C" {
#include "mb/pg_wchar.h"
}

namespace snapback {

namespace {

constexpr int longest_label = 1000;

/// Read the label of all snapshots in the batch; an empty label means none.
std::optional<std::string> label_argument(FunctionCallInfo fcinfo, int i) {
    std::string label = text_argument(fcinfo, i);
    int length = call([&] { return pg_mbstrlen(label.c_str()); });
    if (length > longest_label)
        throw Error(sqlstate::text_too_long, "snapshot label of " + std::to_string(length) + " characters is too long")
            .with_hint("The limit is " + std::to_string(longest_label) + " characters.");
    return label.empty() ? std::nullopt : std::optional(label);
}

} // namespace

SNAPBACK_FUNCTION(snapback_capture_batch) {
    CaptureSpec spec{text_array_argument(fcinfo, 0), text_argument(fcinfo, 1), label_argument(fcinfo, 2), 0};
    return Value::uuid_array(capture(std::move(spec))).datum;
}

} // namespace snapback
