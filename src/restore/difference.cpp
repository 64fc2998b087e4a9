// The difference between a snapshot and the live rows of a community, table by table.
#include "restore/difference.hpp"

#include <algorithm>
#include <unordered_set>

#include "postgres/as_owner.hpp"
#include "snapshot/row_decoder.hpp"

namespace snapback {

namespace {

/// A store's rows beside what each condition says of them, computed where bare column names mean that store's.
std::string with_conditions(const std::string &store, const std::vector<std::string> &conditions,
                            const std::string &alias) {
    std::string list;
    for (std::size_t i = 0; i < conditions.size(); i++)
        list += ", (" + conditions[i] + ") IS TRUE AS \"covered by " + std::to_string(i) + "\"";
    return "(SELECT *" + list + " FROM " + store + ") " + alias;
}

/// "(w covered OR p covered)": a row is selected where the condition holds then or now.
std::string covered(std::size_t i) {
    std::string name = "\"covered by " + std::to_string(i) + "\"";
    return "(w." + name + " OR p." + name + ")";
}

/// How one column of a changed row will be: the snapshot's value where some condition that covers the column holds.
std::string new_value(const TablePlan &plan, std::size_t column) {
    const std::string &name = plan.live.columns[column].name;
    std::string quoted = quote_name(name);
    if (!plan.mapped[column])
        return "p." + quoted;
    if (plan.selection.rows == "true")
        return "w." + quoted;
    std::string condition;
    auto add = [&](std::size_t i) { condition += (condition.empty() ? "" : " OR ") + covered(i); };
    std::size_t next = 0;
    if (!plan.selection.rows.empty())
        add(next++);
    for (const Selection::Part &part : plan.selection.parts) {
        if (std::find(part.columns.begin(), part.columns.end(), name) != part.columns.end())
            add(next);
        next++;
    }
    return condition.empty() ? "p." + quoted
                             : "CASE WHEN " + condition + " THEN w." + quoted + " ELSE p." + quoted + " END";
}

/// Columns whose change in place could meet another row of the same restore, or that UPDATE refuses: those of unique
/// and exclusion indexes beside the key, and identity columns that are GENERATED ALWAYS.
std::vector<std::string> delicate_columns(const TablePlan &plan) {
    Query query;
    std::vector<std::string> names;
    for (Row row : query.run("SELECT DISTINCT a.attname::text FROM pg_catalog.pg_attribute a"
                             " WHERE a.attrelid = $1 AND a.attnum > 0 AND a.attgenerated = '' AND NOT a.attisdropped "
                             "AND (a.attidentity = 'a' OR EXISTS ("
                             "   SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class r ON r.oid = i.indexrelid"
                             "   JOIN pg_catalog.pg_attribute m ON m.attrelid = i.indrelid AND m.attname = a.attname"
                             // An index may be a partition's alone.
                             "   WHERE (i.indrelid = a.attrelid AND NOT i.indisprimary OR NOT r.relispartition"
                             "          AND i.indrelid IN (SELECT p.relid FROM pg_catalog.pg_partition_tree($1) p"
                             "                             WHERE p.level > 0))"
                             "     AND (i.indisunique OR i.indisexclusion)"
                             "     AND (m.attnum = ANY (i.indkey) OR i.indexprs IS NOT NULL OR i.indpred IS NOT NULL"
                             "       OR EXISTS (SELECT FROM pg_catalog.pg_attribute g WHERE g.attrelid = i.indrelid"
                             "                  AND g.attnum = ANY (i.indkey) AND g.attgenerated <> ''))))",
                             {Value::regclass(plan.live.relation)}))
        names.push_back(row.text(1));
    return names;
}

std::string prefixed(const std::vector<std::string> &names, const std::string &alias) {
    std::string list;
    for (const std::string &name : names)
        list += (list.empty() ? "" : ", ") + alias + "." + quote_name(name);
    return list;
}

/// Rows on both sides that differ in what is selected, as they will be; `where` picks among them over u (new), p (now).
std::string changed_rows(const TablePlan &plan, const std::string &where) {
    std::vector<std::string> conditions;
    if (!plan.selection.rows.empty())
        conditions.push_back(plan.selection.rows);
    for (const Selection::Part &part : plan.selection.parts)
        conditions.push_back(part.rows);
    std::string values;
    for (std::size_t i = 0; i < plan.live.columns.size(); i++)
        values += (i ? ", " : "") + new_value(plan, i) + " AS " + quote_name(plan.live.columns[i].name);
    return "SELECT " + plan.columns("u") + " FROM " + with_conditions(plan.see("wanted"), conditions, "w") + " JOIN " +
           with_conditions(plan.see("present"), conditions, "p") + " ON " + plan.same_key("w", "p") +
           " CROSS JOIN LATERAL (SELECT " + values + ") u WHERE " +
           images_differ(plan.columns("u"), plan.columns("p")) + " AND " + where;
}

/// Rows of one side that have no counterpart on the other, as far as whole rows are selected.
std::string rows_only_in(const TablePlan &plan, const char *side, const char *other) {
    return "SELECT " + plan.columns("a") + " FROM " + plan.see(side) + " a WHERE (" + plan.selection.rows +
           ") IS TRUE AND NOT EXISTS (SELECT FROM " + plan.see(other) + " b WHERE " + plan.same_key("a", "b") + ")";
}

/// Throw Error (SB009) unless the snapshot has the columns that name a row today.
void require_key(const TablePlan &plan) {
    for (const KeyColumn &part : plan.live.key)
        if (!plan.mapped[part.column])
            throw Error(sqlstate::schema_changed, "the key of " + plan.live.name + " has changed: column \"" +
                                                      plan.live.columns[part.column].name + "\" is not in the snapshot")
                .with_hint("Choose a snapshot that was taken since, or other options.");
}

/// Decode the snapshot's rows, but for chunks that are the same now. A type or domain may refuse a value, and its
/// owner's code fail in any way: what that leaves behind goes with the subtransaction.
void load_wanted(TablePlan &plan, const std::string &community, RowDecoder &decoder,
                 const std::unordered_set<Digest> &same) {
    Subtransaction attempt;
    ChunkReader chunks(community);
    for (std::size_t i = 0; i < plan.stored.chunk_count(); i++)
        if (Digest digest = plan.stored.chunk(i); !same.contains(digest))
            decode_chunk(chunks.get(digest), decoder, plan.live.owner, plan.wanted);
    attempt.commit();
}

} // namespace

void load_difference(TablePlan &plan, const std::string &community, CurrentRows &current, Extent extent) {
    Shape stored_shape = read_shape(plan.stored.shape);
    RowDecoder from_snapshot(stored_shape, plan.live);
    RowDecoder from_live(plan.live.stored, plan.live);
    plan.mapped.clear();
    for (std::size_t i = 0; i < plan.live.columns.size(); i++)
        plan.mapped.push_back(from_snapshot.mapped(i));

    // Chunks of unlike columns are not comparable, whatever their bytes.
    std::unordered_set<Digest> target;
    if (extent == Extent::differing && from_snapshot.stores_alike())
        for (std::size_t i = 0; i < plan.stored.chunk_count(); i++)
            target.insert(plan.stored.chunk(i));
    std::unordered_set<Digest> same;
    plan.live_rows =
        current.visit(plan.table, plan.live, [&](const Digest &digest, const std::function<std::string()> &content) {
            if (target.contains(digest))
                same.insert(digest);
            else
                decode_chunk(content(), from_live, plan.live.owner, plan.present);
        });
    plan.present.recount();
    require_key(plan);
    load_wanted(plan, community, from_snapshot, same);
    plan.wanted.recount();
}

void work_out_changes(Query &query, TablePlan &plan, const Terms &terms) {
    std::vector<std::string> delicate = delicate_columns(plan);
    AsOwner owner(plan.live.owner);
    if (!plan.selection.rows.empty() && terms.inserts)
        plan.insert.fill(query, rows_only_in(plan, "wanted", "present"));
    if (!plan.selection.rows.empty() && terms.deletes) {
        plan.added.fill(query, rows_only_in(plan, "present", "wanted"));
        plan.remove.fill(query, "SELECT " + plan.columns("") + " FROM " + plan.see("added"));
    }
    if (plan.selection.empty() || !terms.updates)
        return;
    std::string in_place =
        delicate.empty() ? "true" : "NOT " + images_differ(prefixed(delicate, "u"), prefixed(delicate, "p"));
    plan.update.fill(query, changed_rows(plan, in_place));
    if (!delicate.empty())
        plan.reinsert.fill(query, changed_rows(plan, "NOT (" + in_place + ")"));
}

} // namespace snapback
