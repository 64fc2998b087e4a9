#pragma once
#include "postgres/setting_scope.hpp"

namespace snapback {

/// While in scope, the statements of this session fire no triggers and rules but those that are ENABLE ALWAYS or
/// REPLICA (session_replication_role = replica). Functions in other languages than C that those statements call
/// (triggers, checks, defaults, expressions of indexes and generated columns) run with session_replication_role =
/// origin: whoever wrote them may not set it, and must not get around the triggers and foreign keys of other tables.
class TriggersOff {
public:
    TriggersOff();
    ~TriggersOff();
    TriggersOff(const TriggersOff &) = delete;
    TriggersOff &operator=(const TriggersOff &) = delete;

private:
    SettingScope replica_{"session_replication_role", "replica"};
    bool outer_;          // whether triggers were off already
    int outer_functions_; // and how many calls of users' functions were running: a restore within a restore
};

} // namespace snapback
