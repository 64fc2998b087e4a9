#pragma once
#include <string>

namespace snapback {

/// Read the first line of a password file. Throws Error (55000) if it cannot be read, is not a regular file of the
/// server's user, or can be read by others.
std::string read_password_file(const std::string &path);

} // namespace snapback
