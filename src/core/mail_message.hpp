#pragma once
// The mails that owners get: the one that asks for approval, and the one that tells how a restore ended.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace snapback {

/// What every mail says about itself. The id, a UUID, becomes its Message-ID: the same mail sent twice is one to
/// readers.
struct MailHead {
    std::string from;
    std::string to;
    std::string id;
    std::int64_t date = 0; ///< seconds since 1970
};

/// How many rows a restore would write.
struct FiguresInMail {
    std::int64_t inserts = 0;
    std::int64_t updates = 0;
    std::int64_t deletes = 0;
};

struct OptionInMail {
    std::string label;
    std::optional<std::int64_t> rows; ///< in the snapshot
    std::optional<FiguresInMail> figures = std::nullopt;
};

struct ApprovalMail {
    std::string community; ///< its name when the snapshot was taken
    std::string requested_by;
    std::string snapshot_at;
    std::string expires_at;
    std::string approve_url; ///< with {token}
    std::string token;
    std::vector<OptionInMail> options;
    std::vector<OptionInMail> touched = {}; ///< what the restore would touch besides the options
    std::vector<std::string> skipped = {};  ///< options that were meant, but are not restored: label and reason
    std::vector<std::string> notes = {};
    bool strict = false;            ///< nothing is restored if anything else would be done than the figures say
    std::string community_now = {}; ///< its name now, where that is another
};

/// What a restore did to an option, or to what it touched besides.
struct PartInMail {
    std::string label;
    std::int64_t inserted = 0;
    std::int64_t updated = 0;
    std::int64_t deleted = 0;
    std::int64_t kept = 0;
    std::int64_t parents = 0;
    std::int64_t nulled = 0;
    std::int64_t cascaded = 0;
    std::int64_t skipped = 0;
};

/// What a restore would have done to a part when it was asked for, and what when it was refused for that.
struct ChangeInMail {
    std::string label;
    FiguresInMail before;
    FiguresInMail now;
};

struct ResultMail {
    std::string community;
    std::string snapshot_at;
    std::string outcome;                    ///< restored, failed or interrupted
    std::string message;                    ///< why it was not restored
    std::optional<std::string> retry_until; ///< until when the link still approves the request
    std::vector<PartInMail> parts;
    std::vector<ChangeInMail> changes = {}; ///< where it was refused for them
    std::string community_now = {};
};

/// Write the whole mail, headers and body, its lines ended by CRLF. Throws Error (22023) where an address is none.
std::string compose(const MailHead &head, const ApprovalMail &mail);
std::string compose(const MailHead &head, const ResultMail &mail);

} // namespace snapback
