#pragma once
#include <string_view>

namespace snapback {

/// Whether mail can be sent to this address. It must have the form local@domain in ASCII: a dot-atom, and a domain of
/// letters, digits, and hyphens, within the length limits of RFC 5321. Quoted local parts and address literals are
/// rejected.
bool is_mail_address(std::string_view address);

} // namespace snapback
