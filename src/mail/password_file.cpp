#include "mail/smtp.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

#include "core/error.hpp"

namespace snapback {

namespace {

/// A file descriptor that closes itself.
struct OpenFile {
    int descriptor;
    explicit OpenFile(const std::string &path) : descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
    ~OpenFile() {
        if (descriptor >= 0)
            ::close(descriptor);
    }
    OpenFile(const OpenFile &) = delete;
    OpenFile &operator=(const OpenFile &) = delete;
};

[[noreturn]] void refuse(const std::string &path, const std::string &why) {
    throw Error(sqlstate::object_not_in_state, "the mail server's password file \"" + path + "\" " + why)
        .with_hint("The file in snapback.smtp_password_file must belong to the server's user and have mode 0600.");
}

std::string reason() {
    return "cannot be read: " + std::generic_category().message(errno);
}

} // namespace

std::string read_password_file(const std::string &path) {
    OpenFile file(path);
    struct stat status {};
    if (file.descriptor < 0 || ::fstat(file.descriptor, &status) != 0)
        refuse(path, reason());
    if (!S_ISREG(status.st_mode))
        refuse(path, "is not a regular file");
    if (status.st_uid != ::geteuid())
        refuse(path, "does not belong to the server's user");
    if (status.st_mode & (S_IRWXG | S_IRWXO))
        refuse(path, "can be read by users other than its owner");
    std::array<char, 1024> content{};
    ssize_t length = ::read(file.descriptor, content.data(), content.size());
    if (length < 0)
        refuse(path, reason());
    if (static_cast<std::size_t>(length) == content.size())
        refuse(path, "is too long");
    std::string_view text(content.data(), static_cast<std::size_t>(length));
    return std::string(text.substr(0, text.find_first_of("\r\n")));
}

} // namespace snapback
