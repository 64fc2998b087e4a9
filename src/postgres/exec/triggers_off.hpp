#pragma once
#include "postgres/exec/setting_scope.hpp"

namespace snapback {

/// While in scope, statements of this session fire only ENABLE ALWAYS and ENABLE REPLICA triggers and rules
/// (session_replication_role = replica). Non-C functions that the statements call (triggers, checks, defaults, index
/// expressions, generated columns) run with session_replication_role = origin. Their authors may not change that
/// setting, and must not bypass triggers and foreign keys of other tables.
class TriggersOff {
public:
    TriggersOff();
    ~TriggersOff();
    TriggersOff(const TriggersOff &) = delete;
    TriggersOff &operator=(const TriggersOff &) = delete;

private:
    SettingScope replica_{"session_replication_role", "replica"};
    bool outer_;          // whether triggers were already off
    int outer_functions_; // nesting depth of user functions then, for a restore within a restore
};

} // namespace snapback
