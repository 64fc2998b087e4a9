#include "restore/check/violations.hpp"

namespace snapback {

void find_refusing_publications(Query &query, TablePlan &plan) {
    bool updates = plan.update.size() > 0;
    bool deletes = plan.remove.size() + plan.reinsert.size() > 0;
    if (!updates && !deletes)
        return;
    for (Row row : query.run_kept(
             "SELECT c.oid, p.pubname::text, CASE WHEN p.pubdelete AND $3 THEN 'DELETE' ELSE 'UPDATE' END"
             " FROM snapback_internal.guard_members($1) g JOIN pg_catalog.pg_class c ON c.oid = g.member AND c.relkind "
             "= 'r'"
             " JOIN pg_catalog.pg_publication p ON p.pubupdate AND $2 OR p.pubdelete AND $3"
             " WHERE c.relreplident <> 'f' AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid"
             "   AND i.indimmediate AND i.indisvalid"
             "   AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END)"
             " AND (p.puballtables OR EXISTS (SELECT FROM (SELECT c.oid UNION SELECT a.relid"
             "   FROM pg_catalog.pg_partition_ancestors(c.oid) a) o (oid) JOIN pg_catalog.pg_class m ON m.oid = o.oid"
             "   WHERE EXISTS (SELECT FROM pg_catalog.pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = "
             "m.oid)"
             "     OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace n"
             "                WHERE n.pnpubid = p.oid AND n.pnnspid = m.relnamespace)))"
             " ORDER BY g.depth, c.relname, p.pubname LIMIT 1",
             {Value::regclass(plan.live.relation), Value::boolean(updates), Value::boolean(deletes)})) {
        std::string name = qualified_name(row.oid(1));
        plan.obstacles.emplace_back(
            Error(sqlstate::restore_conflict, plan.live.name + " cannot be restored: publication " +
                                                  quote_name(row.text(2)) + " publishes " + row.text(3) + " of " +
                                                  name + ", which has no replica identity")
                .with_hint("Give it a primary key, or call ALTER TABLE " + name + " REPLICA IDENTITY FULL."));
    }
}

} // namespace snapback
