// The preview: the very plan that a restore would carry out, shown and thrown away.
#include "postgres/arguments.hpp"
#include "postgres/result_set.hpp"
#include "restore/plan.hpp"
#include "snapshot/chunk_store.hpp"

namespace snapback {

SNAPBACK_FUNCTION(snapback_plan_restore) {
    ResultSet result(fcinfo);
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        PG_RETURN_NULL();
    hold_store();
    Query query;
    Plan plan(query, read_manifest(uuid_argument(fcinfo, 0)), text_array_argument(fcinfo, 1),
              read_terms(jsonb_argument(fcinfo, 2)));
    for (const auto &table : plan.tables())
        result.add({Value::text(table->live.name), Value::text_array(table->options),
                    Value::bigint(table->insert.size()), Value::bigint(table->changed()),
                    Value::bigint(table->remove.size()), Value::bigint(table->left()), Value::bigint(table->kept),
                    Value::bigint(table->returned), Value::bigint(table->unlinked), Value::bigint(table->taken),
                    Value::bigint(table->left_out), Value::text_array(table->obstacles),
                    Value::text_array(table->notes), Value::bytea("")});
    PG_RETURN_NULL();
}

} // namespace snapback
