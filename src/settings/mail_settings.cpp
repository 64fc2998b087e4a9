
#include "core/mail_address.hpp"
#include "postgres/spi/arguments.hpp"
#include "settings/settings.hpp"

namespace snapback {

std::optional<std::string_view> unusable_mail_setting() {
    auto is_set = [](const char *setting) { return setting && *setting; };
    if (!is_set(settings().smtp_url))
        return "snapback.smtp_url is not set";
    if (!is_set(settings().mail_from))
        return "snapback.mail_from is not set";
    if (!is_mail_address(settings().mail_from))
        return "snapback.mail_from is not a mail address";
    if (!is_set(settings().approve_url))
        return "snapback.approve_url is not set";
    return std::nullopt;
}

} // namespace snapback

SNAPBACK_FUNCTION(snapback_unusable_mail_setting) {
    std::optional<std::string_view> problem = snapback::unusable_mail_setting();
    fcinfo->isnull = !problem;
    return problem ? snapback::Value::text(*problem).datum : Datum{0};
}

SNAPBACK_FUNCTION(snapback_valid_address) {
    return BoolGetDatum(snapback::is_mail_address(snapback::text_argument(fcinfo, 0)));
}
