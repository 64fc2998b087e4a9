#pragma once
// Handing one mail to a mail server.
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
        sent,      ///< the server took the mail
        try_later, ///< it may take it another time
        refused,   ///< it will never take it (5xx)
    } outcome = Outcome::try_later;
    std::string error;
};

/// Send the mail, as one message to one recipient, over a connection of its own. `on_progress` is called several times
/// a second; where it throws, the connection is cut. The addresses have been checked.
Delivery send_mail(const MailServer &server, const std::string &from, const std::string &to, const std::string &message,
                   const std::function<void()> &on_progress);

} // namespace snapback
