#include "settings/settings.hpp"

#include "postgres/boundary.hpp"

namespace snapback {

namespace {

Settings current;

/// Reject an approval link without the place where the token goes.
bool check_approve_url(char **value, void **, GucSource) {
    if (!*value || !**value || std::string_view(*value).find("{token}") != std::string_view::npos)
        return true;
    GUC_check_errdetail("The link must contain {token}, where the secret goes.");
    return false;
}

/// Reject a mail server that is not named by an SMTP URL.
bool check_smtp_url(char **value, void **, GucSource) {
    std::string_view url = *value ? *value : "";
    if (url.empty() || url.starts_with("smtp://") || url.starts_with("smtps://"))
        return true;
    GUC_check_errdetail("The mail server is named as smtp://host:port or smtps://host:port.");
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
    define_int("snapback.retention", "How long a snapshot is kept and can be restored.", &current.retention_seconds, 1,
               3650 * 24 * 3600, PGC_SUSET, GUC_UNIT_S);
    define_int("snapback.audit_retention", "How long the record of requests, restores and mail is kept; 0 for ever.",
               &current.audit_retention_seconds, 0, 3650 * 24 * 3600, PGC_SUSET, GUC_UNIT_S);
    define_int("snapback.request_ttl", "How long the mailed link opens a restore.", &current.request_ttl_seconds, 1,
               24 * 3600, PGC_SUSET, GUC_UNIT_S);
    define_int("snapback.requests_per_hour", "How many restores may be requested for one community within an hour.",
               &current.requests_per_hour, 1, 1000, PGC_SUSET, 0);
    define_int("snapback.lock_timeout", "How long a restore waits for writers of the community to end.",
               &current.lock_timeout_ms, 1, 3600 * 1000, PGC_SUSET, GUC_UNIT_MS);
    define_int("snapback.capture_memory", "Memory for sorting rows while they are captured; the rest goes to disk.",
               &current.capture_memory_kb, 1024, 4 * 1024 * 1024, PGC_USERSET, GUC_UNIT_KB);
}

/// Define whom a backend acts for.
void define_identity(const char *name, const char *description, char **variable) {
    DefineCustomStringVariable(
        name, description,
        "Set it with SET LOCAL or set_config(name, value, true). What plain SET sets is passed on "
        "to the next client by a connection pooler in transaction mode.",
        variable, "", PGC_USERSET, 0, nullptr, nullptr, nullptr);
}

void define_backend_settings() {
    define_identity("snapback.community", "The community that this transaction acts for.", &current.community);
    define_identity("snapback.account", "The account that this transaction acts for.", &current.account);
    define_bool("snapback.require_community_name", "Whether an approval must repeat the community's exact name.",
                &current.require_community_name);
}

void define_mail_settings() {
    define_string("snapback.smtp_url", "The mail server: smtp://host:port or smtps://host:port.", &current.smtp_url, "",
                  PGC_SUSET, 0, check_smtp_url);
    define_string("snapback.smtp_user", "The user to authenticate as at the mail server.", &current.smtp_user, "",
                  PGC_SUSET, GUC_SUPERUSER_ONLY);
    define_string("snapback.smtp_password_file", "File (mode 0600) with the mail server's password.",
                  &current.smtp_password_file, "", PGC_SUSET, GUC_SUPERUSER_ONLY);
    define_string("snapback.smtp_ca_file", "Certificates to trust for the mail server; empty: the system's.",
                  &current.smtp_ca_file, "", PGC_SUSET);
    define_bool("snapback.smtp_require_tls", "Whether mail is sent over TLS or not at all.", &current.smtp_require_tls);
    define_int("snapback.smtp_timeout", "How long one mail may take.", &current.smtp_timeout_seconds, 1, 600, PGC_SUSET,
               GUC_UNIT_S);
    define_string("snapback.mail_from", "The sender's address.", &current.mail_from, "", PGC_SUSET);
    define_string("snapback.approve_url", "The link in the mail, with {token} where the secret goes.",
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
