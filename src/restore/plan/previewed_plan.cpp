// Compares the plan of a strict request with the preview that the owner approved.
#include "restore/plan/plan.hpp"

namespace snapback {

namespace {

/// The digests of the writes by table name, without tables that have no writes.
using WritesByTable = std::map<std::string, std::string>;

WritesByTable writes_of(Query &query, const Plan &plan) {
    WritesByTable writes;
    for (const auto &table : plan.tables())
        if (table->written() + table->remove.size() > 0)
            writes.emplace(table->live.name, digest_of(query, *table).hex());
    return writes;
}

/// The writes in the preview of a restore's request.
WritesByTable previewed_writes(Query &query, const std::string &restore) {
    WritesByTable writes;
    for (Row row : query.run("SELECT t.relation, t.digest FROM snapback.restore_run u"
                             " JOIN snapback.request r ON r.id = u.request"
                             " CROSS JOIN LATERAL snapback_internal.preview_tables(r.preview) t"
                             " WHERE u.id = $1 AND snapback_internal.rows_written(t.figures) > 0",
                             {Value::uuid(restore)}))
        writes.emplace(row.text(1), row.text(2));
    return writes;
}

bool is_strict(Query &query, const std::string &restore) {
    return !query
                .run("SELECT FROM snapback.restore_run u JOIN snapback.request r ON r.id = u.request"
                     " WHERE u.id = $1 AND r.strict",
                     {Value::uuid(restore)})
                .empty();
}

/// The tables in which two sets of writes differ.
std::string differing_tables(const WritesByTable &a, const WritesByTable &b) {
    std::string names;
    WritesByTable all = a;
    all.insert(b.begin(), b.end());
    for (const auto &[name, digest] : all) {
        auto in_a = a.find(name);
        auto in_b = b.find(name);
        if (in_a == a.end() || in_b == b.end() || in_a->second != in_b->second)
            names += (names.empty() ? "" : ", ") + name;
    }
    return names;
}

} // namespace

void require_previewed_plan(Query &query, const std::string &restore, const Plan &plan) {
    if (!is_strict(query, restore))
        return;
    std::string changed = differing_tables(previewed_writes(query, restore), writes_of(query, plan));
    if (!changed.empty())
        throw Error(sqlstate::plan_changed, "the plan of the restore has changed since the request")
            .with_detail("The planned changes differ for " + changed + ".")
            .with_hint("Request the restore again to get a preview of the current plan.");
}

} // namespace snapback
