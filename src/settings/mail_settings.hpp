#pragma once
#include <optional>
#include <string_view>

namespace snapback {

/// Say what is wrong with the first setting that keeps mail from being sent, if any is.
std::optional<std::string_view> unusable_mail_setting();

} // namespace snapback
