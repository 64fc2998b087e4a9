#include "mail/text/mail_message.hpp"

#include <initializer_list>
#include <string_view>
#include <utility>

#include "core/error.hpp"
#include "core/mail_address.hpp"
#include "mail/text/mail_encoding.hpp"

namespace snapback {

namespace {

/// A block of a mail, rendered as text and as HTML: a paragraph, a list, or the button.
struct Block {
    enum class Kind { paragraph, list, button } kind;
    std::vector<std::string> lines; ///< paragraph: one line; list: items; button: title and link
};

struct MailBody {
    std::string subject;
    std::vector<Block> blocks;

    void say(std::string text) { blocks.push_back({Block::Kind::paragraph, {std::move(text)}}); }
    void list(std::vector<std::string> items) { blocks.push_back({Block::Kind::list, std::move(items)}); }
    void button(std::string title, std::string link) {
        blocks.push_back({Block::Kind::button, {std::move(title), std::move(link)}});
    }
};

std::string as_text(const MailBody &mail_body) {
    std::string text;
    for (const Block &block : mail_body.blocks) {
        switch (block.kind) {
        case Block::Kind::paragraph:
            text += block.lines[0] + "\n";
            break;
        case Block::Kind::list:
            for (const std::string &item : block.lines)
                text += "- " + item + "\n";
            break;
        case Block::Kind::button:
            text += block.lines[0] + ":\n" + block.lines[1] + "\n";
            break;
        }
        text += "\n";
    }
    return text;
}

std::string as_html(const MailBody &mail_body) {
    std::string body;
    for (const Block &block : mail_body.blocks) {
        switch (block.kind) {
        case Block::Kind::paragraph:
            body += "<p>" + html_escape(block.lines[0]) + "</p>\n";
            break;
        case Block::Kind::list:
            body += "<ul>\n";
            for (const std::string &item : block.lines)
                body += "<li>" + html_escape(item) + "</li>\n";
            body += "</ul>\n";
            break;
        case Block::Kind::button:
            body += "<p><a href=\"" + html_escape(block.lines[1]) +
                    "\" style=\"display:inline-block;padding:12px 24px;border-radius:6px;background:#1f6feb;"
                    "color:#ffffff;font-weight:bold;text-decoration:none\">" +
                    html_escape(block.lines[0]) + "</a></p>\n";
            break;
        }
    }
    return "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>" +
           html_escape(mail_body.subject) +
           "</title></head>\n<body style=\"font-family:sans-serif;line-height:1.5\">\n" + body + "</body>\n</html>\n";
}

/// Return the address if it is valid, because SMTP commands contain it.
const std::string &checked_address(const std::string &address, const char *whose) {
    if (!is_mail_address(address))
        throw Error(sqlstate::invalid_parameter, std::string("mail address of the ") + whose + " is not valid")
            .with_hint("An address has the form local@domain, in ASCII, without quotes or spaces.");
    return address;
}

std::string part(std::string_view type, std::string_view content) {
    return "Content-Type: text/" + std::string(type) +
           "; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + quoted_printable(content);
}

std::string write(const MailHead &head, const MailBody &mail_body) {
    const std::string &from = checked_address(head.from, "sender");
    const std::string &to = checked_address(head.to, "owner");
    // Quoted-printable text never contains "=_", so the boundary cannot occur in a part.
    const std::string boundary = "=_snapback";
    std::string mail = plain_header("From", "<" + from + ">") + plain_header("To", "<" + to + ">") +
                       text_header("Subject", mail_body.subject) + plain_header("Date", mail_date(head.date)) +
                       plain_header("Message-ID", "<" + head.id + from.substr(from.find('@')) + ">") +
                       plain_header("Auto-Submitted", "auto-generated") + plain_header("MIME-Version", "1.0") +
                       plain_header("Content-Type", "multipart/alternative; boundary=\"" + boundary + "\"") + "\r\n";
    for (const auto &[type, content] : {std::pair("plain", as_text(mail_body)), std::pair("html", as_html(mail_body))})
        mail += "--" + boundary + "\r\n" + part(type, content) + "\r\n";
    return mail + "--" + boundary + "--\r\n";
}

std::string replace_all(std::string text, std::string_view what, std::string_view by) {
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
        text.replace(at, what.size(), by);
    return text;
}

std::string counted(std::int64_t count, const std::string &thing) {
    return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

/// List the counts that are greater than zero.
std::string list_counts(std::initializer_list<std::pair<std::uint64_t, const char *>> counts) {
    std::string list;
    for (const auto &[count, what] : counts)
        if (count > 0)
            list += (list.empty() ? "" : ", ") + std::to_string(count) + " " + what;
    return list.empty() ? "nothing to change" : list;
}

std::string describe(const Figures &figures) {
    return list_counts(
        {{figures.inserts, "to bring back"}, {figures.updates, "to change"}, {figures.deletes, "to remove"}});
}

std::string describe(const OptionInMail &option) {
    std::string text = one_line(option.label);
    if (option.rows)
        text += " (" + counted(*option.rows, "row") + ")";
    return option.figures ? text + ": " + describe(*option.figures) : text;
}

/// List what happened to the rows of a part, in the terms of restore()'s columns.
std::string describe(const PartInMail &part) {
    return one_line(part.label) + ": " +
           list_counts({{part.figures.inserts, "inserted"},
                        {part.figures.updates, "updated"},
                        {part.figures.deletes, "deleted"},
                        {part.figures.kept, "kept"},
                        {part.figures.parents, "parents restored"},
                        {part.figures.nulled, "set to NULL"},
                        {part.figures.cascaded, "cascaded"},
                        {part.figures.skipped, "skipped"}});
}

std::string describe(const ChangeInMail &change) {
    std::string before = describe(change.before);
    std::string now = describe(change.now);
    return one_line(change.label) + ": " +
           (before == now ? before + " (the same counts, but other rows)" : "previously " + before + "; now " + now);
}

/// Shorten a note. Notes may name rows, so the limit is higher than for labels.
std::string describe(const std::string &note) {
    return one_line(note, 500);
}

/// Describe at most `most` things, and count the rest.
template <class Thing> std::vector<std::string> describe_all(const std::vector<Thing> &things, std::size_t most = 100) {
    std::vector<std::string> lines;
    for (const Thing &thing : things) {
        if (lines.size() == most) {
            lines.push_back("and " + std::to_string(things.size() - most) + " more");
            break;
        }
        lines.push_back(describe(thing));
    }
    return lines;
}

/// Add what else the owner must know before approving.
void tell_particulars(MailBody &mail_body, const ApprovalMail &mail) {
    constexpr std::size_t most = 20;
    if (!mail.touched.empty()) {
        mail_body.say("The restore also writes rows of other parts, because rows refer to each other:");
        mail_body.list(describe_all(mail.touched, most));
    }
    if (!mail.skipped_options.empty()) {
        mail_body.say("Selected, but not restored:");
        mail_body.list(describe_all(mail.skipped_options, most));
    }
    if (!mail.notes.empty()) {
        mail_body.say("Please note:");
        mail_body.list(describe_all(mail.notes, most));
    }
    if (mail.strict)
        mail_body.say(
            "If the restore would do anything else when you approve it, nothing is restored, and a mail lists the "
            "differences.");
}

/// The community's name in the snapshot, and its current name if that differs.
template <class Mail> std::string name_of_community(const Mail &mail) {
    return one_line(mail.community) +
           (mail.community_now.empty() ? "" : " (now called " + one_line(mail.community_now) + ")");
}

/// Describe the outcome of the restore, and what the owner can do next.
void tell_outcome(MailBody &mail_body, const ResultMail &mail, const std::string &community) {
    if (mail.outcome == "restored") {
        mail_body.subject = "Restored: " + community;
        mail_body.say("The restore of \"" + community + "\" is complete: the selected parts are as they were at " +
                      one_line(mail.snapshot_at) + ".");
        mail_body.list(describe_all(mail.parts));
        mail_body.say("A new snapshot contains the previous data, so the restore can be undone.");
        return;
    }
    bool failed = mail.outcome == "failed";
    mail_body.subject = (failed ? "Restore failed: " : "Restore interrupted: ") + community;
    mail_body.say("The restore of \"" + community + "\" " + (failed ? "failed" : "was interrupted") +
                  ". Nothing was changed.");
    mail_body.say("Reason: " + one_line(mail.message, 1000));
    if (!mail.changes.empty()) {
        mail_body.say("Changes since the request:");
        mail_body.list(describe_all(mail.changes));
    }
    if (mail.retry_until)
        mail_body.say("You can use the approval link again until " + one_line(*mail.retry_until) + ".");
    else
        mail_body.say("To try again, request a new restore.");
}

} // namespace

std::string compose(const MailHead &head, const ApprovalMail &mail) {
    MailBody mail_body;
    std::string community = name_of_community(mail);
    mail_body.subject = "Approve the restore of " + community;
    mail_body.say("A restore of \"" + community + "\" was requested by account " + one_line(mail.requested_by) + ".");
    mail_body.say("If you approve it, these parts will be restored to their state at " + one_line(mail.snapshot_at) +
                  ":");
    mail_body.list(describe_all(mail.options));
    tell_particulars(mail_body, mail);
    mail_body.say("During the restore, the community is read-only.");
    mail_body.button("Approve Restore", replace_all(one_line(mail.approve_url, 4000), "{token}", mail.token));
    mail_body.say("The link is valid until " + one_line(mail.expires_at) + " and for one restore.");
    mail_body.say("If you did not request this restore, ignore this mail. Without your approval, nothing is restored.");
    return write(head, mail_body);
}

std::string compose(const MailHead &head, const ResultMail &mail) {
    MailBody mail_body;
    tell_outcome(mail_body, mail, name_of_community(mail));
    return write(head, mail_body);
}

} // namespace snapback
