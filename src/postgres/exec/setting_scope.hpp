#pragma once
#include "postgres/error/boundary.hpp"

namespace snapback {

/// Changes a setting while in scope.
class SettingScope {
public:
    SettingScope(const char *name, const char *value) : exceptions_(std::uncaught_exceptions()) {
        nest_level_ = call([&] {
            int level = NewGUCNestLevel();
            set_config_option(name, value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
            return level;
        });
    }
    ~SettingScope() {
        // After an error, the (sub)transaction abort restores the setting.
        if (std::uncaught_exceptions() == exceptions_)
            call_noexcept([&] { AtEOXact_GUC(true, nest_level_); });
    }
    SettingScope(const SettingScope &) = delete;
    SettingScope &operator=(const SettingScope &) = delete;

private:
    int nest_level_ = 0;
    int exceptions_;
};

} // namespace snapback
