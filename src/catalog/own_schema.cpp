#include "catalog/own_schema.hpp"

#include "postgres/exec/setting_scope.hpp"

namespace snapback {

bool is_about_names(const ErrorReport &error) {
    return error.sqlstate == "42P01" || error.sqlstate == "42883" || error.sqlstate == sqlstate::undefined_object ||
           error.sqlstate == sqlstate::undefined_column || error.sqlstate == "3F000";
}

std::optional<std::string> path_with_own_schema(Query &query, Oid relation) {
    Rows path = query.run_kept(
        "WITH own AS (SELECT n.oid, n.nspname, n.nspowner, c.relowner FROM pg_catalog.pg_class c"
        "             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1),"
        " strangers AS (SELECT r.oid FROM pg_catalog.pg_roles r CROSS JOIN own o"
        "               WHERE NOT r.rolsuper AND NOT pg_catalog.pg_has_role(r.oid, o.relowner, 'MEMBER'))"
        "SELECT pg_catalog.format('pg_catalog, %I, pg_temp', o.nspname) FROM own o WHERE NOT EXISTS ("
        "  SELECT FROM strangers s WHERE s.oid = o.nspowner OR pg_catalog.has_schema_privilege(s.oid, o.oid, 'CREATE')"
        "    OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = o.oid AND c.relowner = s.oid)"
        "    OR EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = o.oid AND p.proowner = s.oid)"
        "    OR EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.typnamespace = o.oid AND t.typowner = s.oid)"
        "    OR EXISTS (SELECT FROM pg_catalog.pg_operator p WHERE p.oprnamespace = o.oid AND p.oprowner = s.oid))",
        {Value::regclass(relation)});
    return path.empty() ? std::nullopt : std::optional(path[0].text(1));
}

std::optional<UndoneError> attempt_with_own_schema(Query &query, Oid relation, const std::function<void()> &body) {
    std::optional<UndoneError> error = attempt(body);
    if (!error || !is_about_names(*error))
        return error;
    std::optional<std::string> path = path_with_own_schema(query, relation);
    if (!path)
        return error;
    return attempt([&] {
        SettingScope names("search_path", path->c_str());
        body();
    });
}

} // namespace snapback
