// A new partition inherits row triggers, but not the TRUNCATE trigger; a new inheritance child inherits neither. An
// event trigger creates the missing guards.
#include "catalog/community_path.hpp"

extern "C" {
#include "commands/event_trigger.h"
}

namespace snapback {

namespace {

/// Whether a statement makes a table a partition or child of another; a Postgres call. Other statements are ignored: a
/// restored dump, for example, creates its triggers later, and must not find existing ones.
bool adds_member(Node *statement) {
    if (IsA(statement, CreateStmt))
        return castNode(CreateStmt, statement)->inhRelations != NIL;
    if (!IsA(statement, AlterTableStmt))
        return false;
    const List *commands = castNode(AlterTableStmt, statement)->cmds;
    for (int i = 0; i < list_length(commands); i++) {
        AlterTableType type = static_cast<AlterTableCmd *>(list_nth(commands, i))->subtype;
        if (type == AT_AttachPartition || type == AT_AddInherit)
            return true;
    }
    return false;
}

/// Install guards on the tables that the statement created or altered, if they belong to protected tables.
void guard_touched_tables() {
    Query query;
    for (Row touched : query.run("SELECT DISTINCT objid FROM pg_catalog.pg_event_trigger_ddl_commands() "
                                 "WHERE object_type OPERATOR(pg_catalog.=) 'table'"))
        if (registered_as(touched.oid(1)))
            query.run("SELECT snapback_internal.install_guard($1)", {Value::regclass(touched.oid(1))});
}

} // namespace

} // namespace snapback

SNAPBACK_FUNCTION(snapback_guard_new_partition) {
    using namespace snapback;
    if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
        throw Error(sqlstate::trigger_protocol_violated, "guard_new_partition() is an event trigger function");
    Node *statement = reinterpret_cast<EventTriggerData *>(fcinfo->context)->parsetree;
    if (call([&] { return adds_member(statement); }))
        guard_touched_tables();
    PG_RETURN_NULL();
}
