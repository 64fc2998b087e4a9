#pragma once
// The mail to owners: the request for approval, and the outcome of a restore.
#include <optional>
#include <string>
#include <vector>

#include "core/figures.hpp"

namespace snapback {

/// Headers of every mail. The id, a UUID, becomes the Message-ID: mail readers recognize a mail that is sent twice.
struct MailHead {
    std::string from;
    std::string to;
    std::string id;
    std::int64_t date = 0; ///< seconds since 1970
};

struct OptionInMail {
    std::string label;
    std::optional<std::int64_t> rows; ///< row count in the snapshot
    std::optional<Figures> figures = std::nullopt;
};

struct ApprovalMail {
    std::string community; ///< its name in the snapshot
    std::string requested_by;
    std::string snapshot_at;
    std::string expires_at;
    std::string approve_url; ///< with {token}
    std::string token;
    std::vector<OptionInMail> options;
    std::vector<OptionInMail> touched = {};        ///< other parts that the restore writes
    std::vector<std::string> skipped_options = {}; ///< selected options that are not restored: label and reason
    std::vector<std::string> notes = {};
    bool strict = false;            ///< the restore fails if the plan differs from the figures
    std::string community_now = {}; ///< its current name, if different
};

/// Row counts of a completed restore, for an option or another part.
struct PartInMail {
    std::string label;
    Figures figures = {};
};

/// The planned row counts of a part: at the time of the request, and when the restore was refused.
struct ChangeInMail {
    std::string label;
    Figures before;
    Figures now;
};

struct ResultMail {
    std::string community;
    std::string snapshot_at;
    std::string outcome;                    ///< restored, failed or interrupted
    std::string message;                    ///< why it was not restored
    std::optional<std::string> retry_until; ///< end of the link's validity
    std::vector<PartInMail> parts;
    std::vector<ChangeInMail> changes = {}; ///< the changes that caused the refusal, if any
    std::string community_now = {};
};

/// Write the whole mail, headers and body, with CRLF line endings. Throws Error (22023) for an invalid address.
std::string compose(const MailHead &head, const ApprovalMail &mail);
std::string compose(const MailHead &head, const ResultMail &mail);

} // namespace snapback
