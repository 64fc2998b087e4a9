#pragma once
#include <optional>
#include <string_view>

namespace snapback {

/// Return the problem of the first setting that prevents mail, if any.
std::optional<std::string_view> unusable_mail_setting();

} // namespace snapback
