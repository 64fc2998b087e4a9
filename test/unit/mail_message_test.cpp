#include "mail/text/mail_message.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"

using namespace snapback;

namespace {

const MailHead head{"restores@cms.example", "ada@example.org", "7b5a1c1e-0000-4000-8000-000000000001", 0};

ApprovalMail approval() {
    return {"Blue Harbour",
            "ada",
            "2026-01-02 03:00 UTC",
            "2026-01-02 12:00 UTC",
            "https://cms.example/approve?t={token}",
            std::string(43, 'T'),
            {{"Pages", 1}, {"Notices", 20}, {"Docs", std::nullopt}}};
}

/// Whether the mail contains this text, without its soft line breaks.
bool holds(std::string mail, const std::string &text) {
    for (std::size_t at; (at = mail.find("=\r\n")) != std::string::npos;)
        mail.erase(at, 3);
    return mail.find(text) != std::string::npos;
}

std::size_t count(const std::string &mail, const std::string &text) {
    std::size_t found = 0;
    for (std::size_t at = mail.find(text); at != std::string::npos; at = mail.find(text, at + 1))
        found++;
    return found;
}

/// Whether CR and LF occur only as pairs.
bool has_clean_lines(const std::string &mail) {
    for (std::size_t i = 0; i < mail.size(); i++)
        if ((mail[i] == '\r') != (i + 1 < mail.size() && mail[i + 1] == '\n'))
            return false;
    return true;
}

} // namespace

TEST(Mail, AsksForApproval) {
    std::string mail = compose(head, approval());
    EXPECT_TRUE(mail.starts_with(
        "From: <restores@cms.example>\r\nTo: <ada@example.org>\r\nSubject: Approve the restore of Blue Harbour\r\n"
        "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\nMessage-ID: <7b5a1c1e-0000-4000-8000-000000000001@cms.example>\r\n"
        "Auto-Submitted: auto-generated\r\n"));
    for (const char *said :
         {"- Pages (1 row)\r\n", "- Notices (20 rows)\r\n", "- Docs\r\n", "<li>Notices (20 rows)</li>",
          "2026-01-02 03:00 UTC", "valid until 2026-01-02 12:00 UTC", "by account ada"})
        EXPECT_TRUE(holds(mail, said)) << said;
    EXPECT_TRUE(holds(mail, "https://cms.example/approve?t=3D" + std::string(43, 'T') + "\r\n"));
    EXPECT_TRUE(holds(mail, ">Approve Restore</a>"));
    EXPECT_TRUE(has_clean_lines(mail));
    EXPECT_TRUE(mail.ends_with("--=_snapback--\r\n"));
    EXPECT_EQ(count(mail, "\r\n--=_snapback\r\n"), 2u);
}

TEST(Mail, PutsTheTokenWhereverTheLinkWantsIt) {
    ApprovalMail mail = approval();
    mail.approve_url = "https://{token}.example/{token}";
    mail.token = "{token}";
    EXPECT_TRUE(holds(compose(head, mail), "https://{token}.example/{token}\r\n"));
}

TEST(Mail, TellsWhatARestoreWouldDo) {
    ApprovalMail mail = approval();
    mail.options[0].figures = Figures{3, 2, 1};
    mail.options[1].figures = Figures{0, 0, 4};
    mail.options[2].figures = Figures{};
    std::string text = compose(head, mail);
    for (const char *said :
         {"- Pages (1 row): 3 to bring back, 2 to change, 1 to remove\r\n", "- Notices (20 rows): 4 to remove\r\n",
          "- Docs: nothing to change\r\n", "<li>Docs: nothing to change</li>"})
        EXPECT_TRUE(holds(text, said)) << said;
    for (const char *unsaid : {"other parts", "not restored", "Please note", "anything else"})
        EXPECT_FALSE(holds(text, unsaid)) << unsaid;
    mail.community_now = "x\r\ny";
    text = compose(head, mail);
    EXPECT_TRUE(holds(text, "\r\nSubject: Approve the restore of Blue Harbour (now called x  y)\r\n"));
    EXPECT_TRUE(holds(text, "A restore of \"Blue Harbour (now called x  y)\" was requested"));
    mail.touched = {{"Forms", std::nullopt, Figures{1, 0, 0}}};
    mail.skipped_options = {"Events", "<b>Rosters</b>"};
    mail.strict = true;
    for (int i = 1; i <= 20; i++)
        mail.notes.push_back("note " + std::to_string(i));
    text = compose(head, mail);
    for (const char *said : {"- Forms: 1 to bring back\r\n", "- Events\r\n", "<li>&lt;b&gt;Rosters&lt;/b&gt;</li>",
                             "- note 20\r\n", "would do anything else"})
        EXPECT_TRUE(holds(text, said)) << said;
    EXPECT_FALSE(holds(text, " more"));
    mail.notes.push_back("note 21");
    mail.notes.push_back(std::string(1000, 'n'));
    text = compose(head, mail);
    EXPECT_TRUE(holds(text, "- note 20\r\n- and 2 more\r\n"));
    EXPECT_FALSE(holds(text, "note 21"));
    mail.notes.erase(mail.notes.begin(), mail.notes.end() - 1);
    EXPECT_FALSE(holds(compose(head, mail), std::string(501, 'n')));
}

TEST(Mail, TellsOfTheRestore) {
    ResultMail result{"Blue Harbour", "2026-01-02 03:00 UTC",
                      "restored",     "",
                      std::nullopt,   {{"Pages", {3, 2, 1}}, {"Docs", {0, 0, 0, 9, 4, 5, 6, 7, 8}}, {"Notices"}}};
    std::string mail = compose(head, result);
    for (const char *said : {"Subject: Restored: Blue Harbour\r\n", "- Pages: 3 inserted, 2 updated, 1 deleted\r\n",
                             "- Docs: 4 kept, 5 parents restored, 6 set to NULL, 7 cascaded, 8 skipped\r\n",
                             "- Notices: nothing to change\r\n"})
        EXPECT_TRUE(holds(mail, said)) << said;
}

TEST(Mail, TellsOfFailure) {
    ResultMail result{"Blue Harbour", "2026-01-02 03:00 UTC", "failed", "a value is taken", "2026-01-02 12:00 UTC", {}};
    std::string mail = compose(head, result);
    for (const char *said : {"Subject: Restore failed: Blue Harbour\r\n", "Nothing was changed.",
                             "Reason: a value is taken\r\n", "again until 2026-01-02 12:00 UTC"})
        EXPECT_TRUE(holds(mail, said)) << said;
    result.outcome = "interrupted";
    result.retry_until.reset();
    mail = compose(head, result);
    EXPECT_TRUE(holds(mail, "Subject: Restore interrupted: Blue Harbour\r\n"));
    EXPECT_TRUE(holds(mail, "request a new restore"));
}

TEST(Mail, TellsWhatHasChanged) {
    ResultMail result{"Blue Harbour", "2026-01-02 03:00 UTC", "failed", "it has changed", std::nullopt, {}};
    EXPECT_FALSE(holds(compose(head, result), "Changes since"));
    result.changes = {
        {"Pages", {3, 2, 1}, {3, 2, 2}}, {"Docs", {0, 0, 0}, {1, 0, 0}}, {"<Forms>", {1, 0, 0}, {1, 0, 0}}};
    std::string mail = compose(head, result);
    for (const char *said :
         {"- Pages: previously 3 to bring back, 2 to change, 1 to remove; now 3 to bring back, 2 to change, 2 to "
          "remove\r\n",
          "- Docs: previously nothing to change; now 1 to bring back\r\n",
          "- <Forms>: 1 to bring back (the same counts, but other rows)\r\n", "<li>&lt;Forms&gt;: 1"})
        EXPECT_TRUE(holds(mail, said)) << said;
}

TEST(Mail, LetsNothingIn) {
    const std::string evil =
        "\r\n\r\n.\r\nMAIL FROM:<eve@example.org>\r\nBcc: eve@example.org\r\n--=_snapback--\r\n<script>\xFF\xC3";
    ApprovalMail mail = approval();
    mail.community = mail.community_now = mail.requested_by = mail.snapshot_at = mail.expires_at =
        mail.options[0].label = evil;
    mail.touched = {{evil, std::nullopt, Figures{1, 0, 0}}};
    mail.skipped_options = mail.notes = {evil, evil};
    mail.approve_url = evil + "{token}";
    std::string text = compose(head, mail);
    EXPECT_TRUE(has_clean_lines(text));
    EXPECT_FALSE(holds(text, "\r\nMAIL"));
    EXPECT_FALSE(holds(text, "\r\nBcc"));
    EXPECT_FALSE(holds(text, "\r\n."));
    EXPECT_FALSE(holds(text.substr(text.find("text/html")), "<script>"));
    EXPECT_EQ(count(text, "--=_snapback"), 3u);
    ResultMail result{evil, evil, "restored", evil, evil, {{evil}}, {{evil, {}, {}}}};
    for (const char *outcome : {"restored", "failed"}) {
        result.outcome = outcome;
        text = compose(head, result);
        EXPECT_TRUE(has_clean_lines(text));
        EXPECT_EQ(count(text, "--=_snapback"), 3u);
    }
}

TEST(Mail, IsForOneAddressOnly) {
    for (const char *address : {"", "a@b>\r\nRCPT TO:<eve@example.org", "a@b,eve@example.org", "ä@b"}) {
        EXPECT_THROW(compose({"restores@cms.example", address, "id", 0}, approval()), Error) << address;
        EXPECT_THROW(compose({address, "ada@example.org", "id", 0}, approval()), Error) << address;
    }
}
