// With any names and addresses, the result is one mail to one recipient.
#include <cstdlib>
#include <string>

#include "core/error.hpp"
#include "core/mail_address.hpp"
#include "mail/text/mail_message.hpp"

using namespace snapback;

namespace {

void require(bool truth) {
    if (!truth)
        std::abort();
}

std::size_t count(const std::string &mail, const std::string &text) {
    std::size_t found = 0;
    for (std::size_t at = mail.find(text); at != std::string::npos; at = mail.find(text, at + 1))
        found++;
    return found;
}

/// Check invariants: clean lines, one set of headers, boundaries of parts, no lines that curl would change.
void check(const std::string &mail) {
    std::size_t column = 0;
    for (std::size_t i = 0; i < mail.size(); i++) {
        require((mail[i] == '\r') == (i + 1 < mail.size() && mail[i + 1] == '\n'));
        require(static_cast<unsigned char>(mail[i]) < 0x80 && mail[i] != '\0');
        require(!(column == 0 && mail[i] == '.'));
        column = mail[i] == '\n' ? 0 : column + 1;
        require(column <= 998);
    }
    std::string headers = mail.substr(0, mail.find("\r\n\r\n") + 2);
    for (const char *name : {"From:", "To:", "Subject:", "Date:", "Message-ID:", "Content-Type:"})
        require(count("\r\n" + headers, std::string("\r\n") + name) == 1);
    require(count("\r\n" + headers, "\r\nBcc:") == 0 && count("\r\n" + headers, "\r\nCc:") == 0);
    require(count(mail, "\r\n--=_snapback") == 3);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t size) {
    std::string text(reinterpret_cast<const char *>(data), size);
    if (is_mail_address(text))
        require(text.find_first_of(" \r\n<>,;:\"()[]\\") == std::string::npos && count(text, "@") == 1);
    MailHead head{"restores@cms.example", "ada@example.org", "7b5a1c1e-0000-4000-8000-000000000001", 0};
    check(compose(head, ApprovalMail{text,
                                     text,
                                     text,
                                     text,
                                     text + "{token}",
                                     std::string(43, 'T'),
                                     {{text, 1, Figures{1, 2, 3}}},
                                     {{text, std::nullopt, Figures{}}},
                                     {text},
                                     {text, text},
                                     true}));
    for (const char *outcome : {"restored", "failed", "interrupted"})
        check(compose(head, ResultMail{text, text, outcome, text, text, {{text}}, {{text, {}, {1, 2, 3}}}}));
    head.to = text;
    try {
        check(compose(head, ResultMail{text, text, "restored", text, text, {}}));
        require(is_mail_address(text));
    } catch (const Error &) {
        require(!is_mail_address(text));
    }
    return 0;
}
