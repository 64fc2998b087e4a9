// The preview: the very plan that a restore would carry out, shown and thrown away.
#include "postgres/arguments.hpp"
#include "postgres/result_set.hpp"
#include "restore/plan.hpp"
#include "snapshot/chunk_store.hpp"

namespace snapback {

SNAPBACK_FUNCTION(snapback_plan_restore) {
    ResultSet result(fcinfo);
    hold_store();
    Query query;
    Plan plan(query, read_manifest(uuid_argument(fcinfo, 0)), text_array_argument(fcinfo, 1));
    for (const auto &table : plan.tables()) {
        std::uint64_t updates = table->changed();
        std::uint64_t leaves = table->live_rows - updates - table->remove.size();
        result.add({Value::text(table->live.name), Value::bigint(table->insert.size()), Value::bigint(updates),
                    Value::bigint(table->remove.size()), Value::bigint(leaves), Value::bigint(table->kept),
                    Value::bigint(table->returned), Value::bigint(table->unlinked)});
    }
    PG_RETURN_NULL();
}

} // namespace snapback
