#pragma once
// All settings of the extension (snapback.*) as one struct, filled by PostgreSQL's GUC machinery.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace snapback {

struct Settings {
    int retention_seconds = 7 * 24 * 3600;           // time for which a snapshot can be restored
    int audit_retention_seconds = 90 * 24 * 3600;    // time for which requests and restores are recorded; 0: forever
    int request_ttl_seconds = 3600;                  // time for which a mailed link is valid
    int requests_per_hour = 5;                       // restore requests per community
    int lock_timeout_ms = 10'000;                    // time for which a restore waits for writers
    int capture_memory_kb = 64 * 1024;               // memory of a capture for sorting rows
    int delta_limit = 25;                            // size of deltas, in percent of their base; 0: none
    int full_check_interval_seconds = 7 * 24 * 3600; // between full reads of a base's tables; 0: none
    bool require_community_name = false;
    char *community = nullptr; // set by the application
    char *account = nullptr;
    char *smtp_url = nullptr;
    char *smtp_user = nullptr;
    char *smtp_password_file = nullptr;
    char *smtp_ca_file = nullptr;
    bool smtp_require_tls = true;
    int smtp_timeout_seconds = 30;
    char *mail_from = nullptr;
    char *approve_url = nullptr; // with {token}

    /// capture_memory_kb in bytes.
    std::size_t capture_memory() const { return static_cast<std::size_t>(capture_memory_kb) * 1024; }
};

/// The current settings of this session.
const Settings &settings();

/// Define all settings; called once when the library is loaded.
void define_settings();

/// Return the problem of the first setting that prevents mail, if any.
std::optional<std::string_view> unusable_mail_setting();

} // namespace snapback
