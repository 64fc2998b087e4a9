#pragma once
// Sends a mail to a mail server, with the password of a file.
#include <functional>
#include <string>

namespace snapback {

struct MailServer {
    std::string url; ///< smtp:// or smtps://
    std::string user;
    std::string password;
    std::string ca_file; ///< empty: the system's certificates
    bool require_tls = true;
    int timeout_seconds = 30;
};

struct Delivery {
    enum class Outcome {
        sent,      ///< the server accepted the mail
        try_later, ///< the server may accept it later
        refused,   ///< the server rejected it permanently (5xx)
    } outcome = Outcome::try_later;
    std::string error;
};

/// Send one message to one recipient over a new connection. `on_progress` is called several times a second; if it
/// throws, the connection is closed. The caller has checked the addresses.
Delivery send_mail(const MailServer &server, const std::string &from, const std::string &to, const std::string &message,
                   const std::function<void()> &on_progress);

/// Read the first line of a password file. Throws Error (55000) if it cannot be read, is not a regular file of the
/// server's user, or can be read by others.
std::string read_password_file(const std::string &path);

} // namespace snapback
