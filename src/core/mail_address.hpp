#pragma once
#include <string_view>

namespace snapback {

/// Whether this is an address mail can be sent to: local@domain in ASCII, the local part a dot-atom, the domain made of
/// letters, digits and hyphens, within the lengths of RFC 5321. Quoted local parts and address literals are refused.
bool is_mail_address(std::string_view address);

} // namespace snapback
