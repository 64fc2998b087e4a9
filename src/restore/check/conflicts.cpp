// Finds unique values of restored rows that other rows hold.
#include "restore/check/conflicts.hpp"

#include "postgres/catalog/self_contained.hpp"
#include "postgres/exec/as_owner.hpp"
#include "postgres/spi/free_prefix.hpp"
#include "restore/check/whole_rows.hpp"
#include "restore/plan/notes.hpp"

namespace snapback {

namespace {

constexpr int conflicts_named = 5;

// The maximum number of rows that are compared with each other; beyond it, the constraint itself decides.
constexpr std::uint64_t most_rows_paired = 1000;

/// "s.a, s.b": the columns of the key; the prefix may be empty.
std::string key_names(const TablePlan &plan, const std::string &prefix) {
    std::string names;
    for (const KeyColumn &part : plan.live.key)
        names += (names.empty() ? "" : ", ") + prefix + quote_name(plan.live.columns[part.column].name);
    return names;
}

/// A query for the numbers of those rows of `written` that conflict with each other; empty if none can, or if there are
/// too many.
std::string clashing_among(const TablePlan &plan, const Uniqueness &uniqueness) {
    if (uniqueness.columns == key_names(plan, ""))
        return ""; // the key is distinct
    std::string number = quote_name(uniqueness.prefix + "number");
    if (uniqueness.unique)
        return "SELECT k.number FROM (SELECT " + number + " AS number, pg_catalog.count(*) OVER (PARTITION BY " +
               uniqueness.keys + ") AS as_many FROM written" +
               (uniqueness.nulls_clash ? "" : " WHERE ROW(" + uniqueness.keys + ") IS NOT NULL") +
               ") k WHERE k.as_many > 1";
    if (plan.written() > most_rows_paired)
        return "";
    return "SELECT s." + number + " FROM written s JOIN written t ON " + uniqueness.clash + " WHERE s." + number +
           " <> t." + number;
}

/// The hint for rows that hold values of restored rows.
std::string ways_out(const std::string &remedy) {
    return "Change those other rows, " + remedy + "or skip the restored rows: {\"on_conflict\": \"skip\"}.";
}

} // namespace

std::vector<Uniqueness> uniqueness_of(Query &query, Oid relation) {
    AsOwner owner(lock_and_get_owner(relation)); // expressions depend on the settings under which they are read
    std::string prefix = free_prefix(relation);
    std::vector<Uniqueness> all;
    for (Row row : query.run_kept(
             "SELECT r.relname::text, NOT i.indisexclusion,"
             " pg_catalog.string_agg(pg_catalog.pg_get_indexdef(i.indexrelid, k, false), ', ' ORDER BY k),"
             " pg_catalog.string_agg(pg_catalog.format('(%s) AS %I',"
             "   pg_catalog.pg_get_indexdef(i.indexrelid, k, false), $2 || k), ', ' ORDER BY k),"
             " pg_catalog.string_agg(pg_catalog.format('s.%1$I %2$s t.%1$I', $2 || k,"
             "   CASE WHEN i.indnullsnotdistinct THEN 'IS NOT DISTINCT FROM'"
             "        ELSE pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname) END), ' AND ' ORDER BY k),"
             " coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid), 'true')"
             "   || coalesce(' AND ' || pg_catalog.pg_get_partition_constraintdef(i.indrelid), ''),"
             " pg_catalog.string_agg(pg_catalog.format('%I', $2 || k), ', ' ORDER BY k), i.indnullsnotdistinct,"
             " i.indexrelid FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class r ON r.oid = i.indexrelid"
             " LEFT JOIN pg_catalog.pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('u', 'p', 'x')"
             " CROSS JOIN LATERAL pg_catalog.generate_series(1, i.indnkeyatts::int) AS k"
             " JOIN pg_catalog.pg_opclass oc ON oc.oid = i.indclass[k - 1]"
             " LEFT JOIN pg_catalog.pg_amop m ON NOT i.indisexclusion AND m.amopfamily = oc.opcfamily"
             "   AND m.amopstrategy = 3 AND m.amoplefttype = oc.opcintype AND m.amoprighttype = oc.opcintype"
             " JOIN pg_catalog.pg_operator o ON o.oid = coalesce(c.conexclop[k], m.amopopr)"
             " JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace"
             // An index of a partition alone covers only the rows of that partition.
             " WHERE i.indrelid = ANY (ARRAY("
             "       SELECT p.relid::oid FROM pg_catalog.pg_partition_tree($1) p) || $1::oid)"
             "   AND (i.indrelid = $1 OR NOT r.relispartition)"
             "   AND i.indisvalid AND (i.indisunique OR i.indisexclusion)"
             " GROUP BY i.indexrelid, r.relname, c.oid, i.indpred, i.indrelid"
             " ORDER BY r.relname",
             {Value::regclass(relation), Value::text(prefix + "key ")}))
        if (!reads_whole_row(row.oid(9)))
            all.push_back({row.text(1), row.boolean(2), prefix, row.text(3), row.text(4), row.text(7), row.text(5),
                           row.text(6), row.boolean(8), row.oid(9)});
    return all;
}

std::string written_rows_in_conflict(Query &query, const TablePlan &plan, const Uniqueness &uniqueness) {
    std::string where = " r WHERE (" + uniqueness.where + ")";
    std::string among = clashing_among(plan, uniqueness);
    std::string number = quote_name(uniqueness.prefix + "number");
    // Find conflicting rows by the index first, and then whether they remain. Only keys and unique values are carried
    // along, because rows may be large; OFFSET keeps the planner from carrying more.
    return "WITH written AS MATERIALIZED (SELECT *, pg_catalog.row_number() OVER () AS " + number + " FROM (SELECT " +
           key_names(plan, "") + ", " + uniqueness.values + " FROM " + WholeRows(query, plan).query(false) + where +
           " OFFSET 0) w), met AS MATERIALIZED (SELECT s." + number + ", " + key_names(plan, "t.") +
           " FROM written s JOIN (SELECT *, " + uniqueness.values + " FROM " + plan.live.from() + where + ") t ON " +
           uniqueness.clash + ") SELECT " + key_names(plan, "s.") + ", pg_catalog.concat_ws(', ', " + uniqueness.keys +
           ") AS " + quote_name(uniqueness.prefix + "values") + " FROM written s WHERE s." + number + " IN (SELECT t." +
           number + " FROM met t WHERE NOT EXISTS (SELECT FROM " + plan.all_of({"remove", "update", "reinsert"}) +
           " x WHERE " + plan.same_key("x", "t") + ")" + (among.empty() ? "" : " UNION ALL " + among) + ")";
}

namespace {

/// Rows that the plan writes and that can conflict in an index. Changed rows keep their keys, so in the index of the
/// key only inserted rows can conflict.
std::vector<Uniqueness> uniqueness_at_stake(Query &query, const TablePlan &plan) {
    std::vector<Uniqueness> all;
    if (plan.written() == 0)
        return all;
    all = uniqueness_of(query, plan.live.relation);
    if (plan.insert.size() == 0) {
        Oid key =
            query.run_kept("SELECT snapback_internal.key_index($1)", {Value::regclass(plan.live.relation)})[0].oid(1);
        std::erase_if(all, [&](const Uniqueness &uniqueness) { return uniqueness.index == key; });
    }
    return all;
}

} // namespace

void find_conflicts(Query &query, TablePlan &plan) {
    for (const Uniqueness &uniqueness : uniqueness_at_stake(query, plan)) {
        std::string rows = written_rows_in_conflict(query, plan, uniqueness);
        AsOwner owner(plan.live.owner);
        Rows found = query.run("SELECT pg_catalog.count(*) OVER (), c." + quote_name(uniqueness.prefix + "values") +
                               " FROM (" + rows + ") c ORDER BY 2 LIMIT " + std::to_string(conflicts_named));
        if (found.empty())
            continue;
        std::string values;
        for (Row row : found)
            values += (values.empty() ? "(" : ", (") + row.optional_text(2).value_or("") + ")";
        std::int64_t more = found[0].bigint(1) - static_cast<std::int64_t>(found.size());
        plan.obstacles.emplace_back(
            Error(uniqueness.unique ? sqlstate::unique_violation : sqlstate::exclusion_violation,
                  rows_in_words(static_cast<std::uint64_t>(found[0].bigint(1))) + " of " + plan.live.name +
                      " cannot be restored: other rows hold their value of " + uniqueness.name + " now")
                .with_detail("(" + uniqueness.columns + ") = " + values +
                             (more > 0 ? " and " + std::to_string(more) + " more" : "") + ".")
                .with_hint(ways_out("")),
            uniqueness.name, plan.live.relation, [](const std::string &remedy) { return ways_out(remedy + ", "); });
    }
}

bool skip_conflicts(Query &query, TablePlan &plan) {
    std::uint64_t before = plan.skipped.size();
    for (const Uniqueness &uniqueness : uniqueness_at_stake(query, plan)) {
        std::string rows = written_rows_in_conflict(query, plan, uniqueness);
        skip_rows(query, plan, "EXISTS (SELECT FROM (" + rows + ") c WHERE " + plan.same_key("c", "w") + ")");
    }
    return plan.skipped.size() > before;
}

void skip_rows(Query &query, TablePlan &plan, const std::string &condition) {
    AsOwner owner(plan.live.owner);
    std::string left = "SELECT " + plan.columns("") + " FROM " + plan.see("skipped") + " UNION ALL SELECT " +
                       plan.columns("w") + " FROM " + plan.written_rows() + " w WHERE " + condition;
    std::uint64_t before = plan.skipped.size();
    if (plan.skipped.fill(query, left) == before)
        return;
    for (TupleStore *store : {&plan.insert, &plan.update, &plan.reinsert})
        store->fill(query, "SELECT " + plan.columns("s") + " FROM " + store->name() +
                               " s WHERE NOT EXISTS (SELECT FROM " + plan.see("skipped") + " x WHERE " +
                               plan.same_key("x", "s") + ")");
}

} // namespace snapback
