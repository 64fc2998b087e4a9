#pragma once
#include <string>

namespace snapback {

/// Read the first line of a file that holds a password. Throws Error (55000) where it cannot be read, is no plain file
/// of the server's own user, or may be read by others.
std::string read_password_file(const std::string &path);

} // namespace snapback
