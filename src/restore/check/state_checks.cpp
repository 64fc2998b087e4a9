#include "restore/check/state_checks.hpp"

#include <algorithm>

#include "catalog/own_schema.hpp"
#include "postgres/catalog/domains.hpp"
#include "postgres/catalog/self_contained.hpp"
#include "postgres/exec/as_owner.hpp"
#include "postgres/exec/snapshot_scope.hpp"

namespace snapback {

namespace {

constexpr std::size_t most_parts = 256;
constexpr const char *written = "\"snapback written\""; // an alias that is unlikely to be the name of a table

/// The relations that hold a table's rows; empty if their constraints cannot be deferred.
std::vector<Oid> parts_to_write(Query &query, const TablePlan &plan) {
    if (!plan.live.partitioned)
        return {plan.live.relation};
    std::vector<Oid> parts;
    for (Row row :
         query.run("SELECT c.oid, c.relkind = 'r' AND c.relowner = $2"
                   "   AND NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid)"
                   " FROM pg_catalog.pg_partition_tree($1) p JOIN pg_catalog.pg_class c ON c.oid = p.relid"
                   " WHERE p.isleaf ORDER BY c.relname",
                   {Value::regclass(plan.live.relation), Value{OIDOID, ObjectIdGetDatum(plan.live.owner), false}})) {
        if (!row.boolean(2))
            return {};
        parts.push_back(row.oid(1));
    }
    bool takes_defaults = std::ranges::find(plan.mapped, false) != plan.mapped.end();
    return takes_defaults || parts.size() > most_parts ? std::vector<Oid>{} : parts;
}

/// The CHECK constraints of a relation that may read other rows.
std::vector<WritePart::Check> checks_of(Query &query, Oid relation) {
    std::vector<WritePart::Check> checks;
    for (Row row :
         query.run_kept("SELECT c.conname::text, pg_catalog.pg_get_expr(c.conbin, c.conrelid), c.conbin::text,"
                        "       c.oid"
                        " FROM pg_catalog.pg_constraint c WHERE c.conrelid = $1 AND c.contype = 'c'"
                        // NOT ENFORCED constraints exist in later versions only.
                        "   AND coalesce(pg_catalog.to_jsonb(c) ->> 'conenforced', 'true') = 'true'"
                        " ORDER BY c.conname",
                        {Value::regclass(relation)}))
        if (!is_self_contained(row.text(3)))
            checks.push_back({row.oid(4), row.text(1), row.text(2)});
    return checks;
}

std::string key_of(const TablePlan &plan, const std::string &alias) {
    std::string list;
    for (const KeyColumn &part : plan.live.key)
        list += (list.empty() ? "" : ", ") + alias + "." + quote_name(plan.live.columns[part.column].name);
    return "ROW(" + list + ")::pg_catalog.text";
}

/// Report a constraint that raised an error.
[[noreturn]] void fail_unchecked(const TablePlan &plan, const WritePart::Check &check, const UndoneError &error) {
    if (!error.is_refusal())
        error.raise();
    throw Error(error.sqlstate, "constraint \"" + check.name + "\" of " + plan.live.name +
                                    " cannot be checked on the restored rows: " + error.message)
        .with_detail(error.detail)
        .with_hint("The constraint calls a function: restore the rows that it reads as well, or change the constraint. "
                   "Nothing was changed.");
}

/// Check one constraint for the written rows of a part.
void check_part(Query &query, const TablePlan &plan, const WritePart &part, const WritePart::Check &check) {
    std::string name = quote_name(call([&] { return get_rel_name(part.relation); }));
    std::string condition = "(" + check.condition + ") IS FALSE";
    std::string sql = "SELECT pg_catalog.min(k), pg_catalog.count(*) FROM (SELECT " + key_of(plan, written) +
                      " AS k FROM " + plan.written_rows() + " " + written + " CROSS JOIN LATERAL (SELECT " + condition +
                      " FROM ONLY " + qualified_name(part.relation) + " WHERE " + plan.same_key(written, name) +
                      " OFFSET 0) l (refused) WHERE l.refused) f";
    std::int64_t refused = 0;
    std::string first;
    std::optional<UndoneError> error = attempt_with_own_schema(query, plan.live.relation, [&] {
        Rows rows = query.run(sql);
        refused = rows[0].bigint(2);
        first = rows[0].optional_text(1).value_or("");
    });
    if (error)
        fail_unchecked(plan, check, *error);
    if (refused > 0)
        throw Error(sqlstate::check_violation,
                    "the restore would violate constraint \"" + check.name + "\" of " + plan.live.name)
            .with_detail("It rejects " + std::to_string(refused) +
                         (refused == 1 ? " restored row, with the key " : " restored rows, one with the key ") + first +
                         ", with the data after the restore.")
            .with_hint("The constraint calls a function: restore the rows that it reads as well, or change the "
                       "constraint. Nothing was changed.");
}

/// The rows whose value of a column comes from the snapshot, with their key as text and the value.
std::string values_from_snapshot(const TablePlan &plan, std::size_t column) {
    std::string name = quote_name(plan.live.columns[column].name);
    std::string select = "SELECT " + key_of(plan, "w") + ", w." + name + " FROM ";
    return select + plan.see("insert") + " w UNION ALL " + select + plan.all_of({"update", "reinsert"}) +
           " w WHERE NOT EXISTS (SELECT FROM " + plan.see("present") + " p WHERE " + plan.same_key("w", "p") +
           " AND NOT " + images_differ("w." + name, "p." + name) + ")";
}

void check_domains(Query &query, const TablePlan &plan) {
    for (std::size_t i = 0; i < plan.live.columns.size(); i++) {
        const LiveColumn &column = plan.live.columns[i];
        if (!plan.mapped[i] || has_self_contained_domains(query, column.type))
            continue;
        std::optional<UndoneError> refused = find_refused_by_domain(query, plan, i);
        if (!refused)
            continue;
        if (!refused->is_refusal())
            refused->raise();
        throw Error(sqlstate::check_violation, "the restore would violate a domain in column \"" + column.name +
                                                   "\" of " + plan.live.name + ": " + refused->message)
            .with_detail(refused->detail)
            .with_hint("A check of the domain calls a function: restore the rows that it reads as well, or change the "
                       "domain. Nothing was changed.");
    }
}

} // namespace

ChecksByRelation WriteParts::deferred() const {
    ChecksByRelation names;
    for (const WritePart &part : parts)
        for (const WritePart::Check &check : part.checks)
            names[part.relation].push_back(check.name);
    return names;
}

WriteParts write_parts(Query &query, const TablePlan &plan) {
    AsOwner owner(plan.live.owner); // conditions depend on the settings under which they are read
    WriteParts found;
    for (Oid relation : parts_to_write(query, plan)) {
        std::optional<std::string> takes; // a default partition without others accepts all rows
        if (plan.live.partitioned)
            takes =
                query.run_kept("SELECT pg_catalog.pg_get_partition_constraintdef($1)", {Value::regclass(relation)})[0]
                    .optional_text(1);
        found.parts.push_back({relation, takes.value_or("true"), checks_of(query, relation)});
    }
    found.apart = plan.live.partitioned &&
                  std::ranges::any_of(found.parts, [](const WritePart &part) { return !part.checks.empty(); });
    return found;
}

std::optional<UndoneError> find_refused_by_domain(Query &query, const TablePlan &plan, std::size_t column) {
    AsOwner owner(plan.live.owner);
    return attempt_with_own_schema(query, plan.live.relation, [&] {
        SnapshotScope now;
        DomainCheck check(plan.live.columns[column].type);
        query.stream(values_from_snapshot(plan, column), {}, [&](TupleTableSlot *slot) {
            call([&] { slot_getallattrs(slot); });
            check(slot->tts_values[1], slot->tts_isnull[1]);
        });
    });
}

void check_state(Query &query, const TablePlan &plan) {
    if (plan.written() == 0)
        return;
    WriteParts written_to = write_parts(query, plan);
    AsOwner owner(plan.live.owner);
    for (const WritePart &part : written_to.parts)
        for (const WritePart::Check &check : part.checks)
            check_part(query, plan, part, check);
    check_domains(query, plan);
}

} // namespace snapback
