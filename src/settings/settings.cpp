#include "settings/settings.hpp"

#include "postgres/error/boundary.hpp"

namespace snapback {

namespace {

Settings current;

/// Reject an approval link without a {token} placeholder.
bool check_approve_url(char **value, void **, GucSource) {
    if (!*value || !**value || std::string_view(*value).find("{token}") != std::string_view::npos)
        return true;
    GUC_check_errdetail("The link must contain the placeholder {token} for the secret.");
    return false;
}

/// Reject a mail server that is not an SMTP URL.
bool check_smtp_url(char **value, void **, GucSource) {
    std::string_view url = *value ? *value : "";
    if (url.empty() || url.starts_with("smtp://") || url.starts_with("smtps://"))
        return true;
    GUC_check_errdetail("The value must have the form smtp://host:port or smtps://host:port.");
    return false;
}

void define_string(const char *name, const char *description, char **variable, const char *fallback, GucContext context,
                   int flags = 0, GucStringCheckHook check = nullptr) {
    DefineCustomStringVariable(name, description, nullptr, variable, fallback, context, flags, check, nullptr, nullptr);
}

void define_int(const char *name, const char *description, int *variable, int low, int high, GucContext context,
                int flags) {
    DefineCustomIntVariable(name, description, nullptr, variable, *variable, low, high, context, flags, nullptr,
                            nullptr, nullptr);
}

void define_bool(const char *name, const char *description, bool *variable) {
    DefineCustomBoolVariable(name, description, nullptr, variable, *variable, PGC_SUSET, 0, nullptr, nullptr, nullptr);
}

void define_limits() {
    define_int("snapback.retention", "Time for which a snapshot is kept and can be restored.",
               &current.retention_seconds, 1, 3650 * 24 * 3600, PGC_SUSET, GUC_UNIT_S);
    define_int("snapback.audit_retention",
               "Time for which requests, restores and mail are recorded; 0 keeps them forever.",
               &current.audit_retention_seconds, 0, 3650 * 24 * 3600, PGC_SUSET, GUC_UNIT_S);
    define_int("snapback.request_ttl", "Time for which the mailed link is valid.", &current.request_ttl_seconds, 1,
               24 * 3600, PGC_SUSET, GUC_UNIT_S);
    define_int("snapback.requests_per_hour", "Maximum number of restore requests per community and hour.",
               &current.requests_per_hour, 1, 1000, PGC_SUSET, 0);
    define_int("snapback.lock_timeout", "Time for which a restore waits for writers of the community.",
               &current.lock_timeout_ms, 1, 3600 * 1000, PGC_SUSET, GUC_UNIT_MS);
    define_int("snapback.capture_memory", "Memory for sorting rows in a capture; more rows use temporary files.",
               &current.capture_memory_kb, 1024, 4 * 1024 * 1024, PGC_USERSET, GUC_UNIT_KB);
    define_int("snapback.delta_limit",
               "Maximum size of the changes since a full capture, in percent of it; 0 captures in full each time.",
               &current.delta_limit, 0, 1000, PGC_SUSET, 0);
    define_int("snapback.full_check_interval",
               "Time after which a capture compares what it stores with a full read; 0 never does.",
               &current.full_check_interval_seconds, 0, 3650 * 24 * 3600, PGC_SUSET, GUC_UNIT_S);
}

/// Define a setting that names the community or account of a transaction.
void define_identity(const char *name, const char *description, char **variable) {
    DefineCustomStringVariable(
        name, description,
        "Set it with SET LOCAL or set_config(name, value, true). A connection pooler in transaction mode "
        "would pass a value of plain SET to the next client.",
        variable, "", PGC_USERSET, 0, nullptr, nullptr, nullptr);
}

void define_backend_settings() {
    define_identity("snapback.community", "Community on whose behalf the transaction runs.", &current.community);
    define_identity("snapback.account", "Account on whose behalf the transaction runs.", &current.account);
    define_bool("snapback.require_community_name", "Require the community's exact name in approvals.",
                &current.require_community_name);
}

void define_mail_settings() {
    define_string("snapback.smtp_url", "Mail server: smtp://host:port or smtps://host:port.", &current.smtp_url, "",
                  PGC_SUSET, 0, check_smtp_url);
    define_string("snapback.smtp_user", "User name for the mail server.", &current.smtp_user, "", PGC_SUSET,
                  GUC_SUPERUSER_ONLY);
    define_string("snapback.smtp_password_file", "File with the password for the mail server; its mode must be 0600.",
                  &current.smtp_password_file, "", PGC_SUSET, GUC_SUPERUSER_ONLY);
    define_string("snapback.smtp_ca_file",
                  "File with trusted certificates for the mail server; empty for the system's.", &current.smtp_ca_file,
                  "", PGC_SUSET);
    define_bool("snapback.smtp_require_tls", "Send mail only over TLS.", &current.smtp_require_tls);
    define_int("snapback.smtp_timeout", "Maximum time to send one mail.", &current.smtp_timeout_seconds, 1, 600,
               PGC_SUSET, GUC_UNIT_S);
    define_string("snapback.mail_from", "Sender address of mail.", &current.mail_from, "", PGC_SUSET);
    define_string("snapback.approve_url", "Link in the mail, with the placeholder {token} for the secret.",
                  &current.approve_url, "", PGC_SUSET, 0, check_approve_url);
}

} // namespace

const Settings &settings() {
    return current;
}

void define_settings() {
    call([] {
        define_limits();
        define_backend_settings();
        define_mail_settings();
        MarkGUCPrefixReserved("snapback");
    });
}

} // namespace snapback
