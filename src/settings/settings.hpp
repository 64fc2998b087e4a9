#pragma once
// Every setting of the extension (snapback.*), as Postgres keeps it: one struct, filled by the GUC machinery.

#include <cstddef>
#include <cstdint>

namespace snapback {

struct Settings {
    int retention_seconds = 7 * 24 * 3600;        // how long a snapshot can be restored
    int audit_retention_seconds = 90 * 24 * 3600; // how long the record of requests and restores is kept; 0: for ever
    int request_ttl_seconds = 3600;               // how long a mailed link opens a restore
    int requests_per_hour = 5;                    // per community
    int lock_timeout_ms = 10'000;                 // how long a restore waits for the community's writers
    int capture_memory_kb = 64 * 1024;            // rows held in memory while a capture sorts them
    bool require_community_name = false;
    char *community = nullptr; // whose connection this is, set by the backend
    char *account = nullptr;
    char *smtp_url = nullptr;
    char *smtp_user = nullptr;
    char *smtp_password_file = nullptr;
    char *smtp_ca_file = nullptr;
    bool smtp_require_tls = true;
    int smtp_timeout_seconds = 30;
    char *mail_from = nullptr;
    char *approve_url = nullptr; // with {token}

    /// In bytes what is set in kB.
    std::size_t capture_memory() const { return static_cast<std::size_t>(capture_memory_kb) * 1024; }
};

/// The settings in force for this session.
const Settings &settings();

/// Tell Postgres about every setting; called once, when the library is loaded.
void define_settings();

} // namespace snapback
