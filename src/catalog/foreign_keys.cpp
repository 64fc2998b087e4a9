#include "catalog/foreign_keys.hpp"

namespace snapback {

std::string ForeignKey::refers(const std::string &parent_alias, const std::string &child_alias) const {
    std::string condition;
    for (const Pair &pair : pairs)
        condition += (condition.empty() ? "" : " AND ") + parent_alias + "." + quote_name(pair.parent_column) + " " +
                     pair.equals + " " + child_alias + "." + quote_name(pair.child_column);
    return condition;
}

std::string ForeignKey::same_parent(const std::string &a, const std::string &b) const {
    std::string condition;
    for (const Pair &pair : pairs) {
        std::string name = quote_name(pair.parent_column);
        condition +=
            (condition.empty() ? "" : " AND ") + a + "." + name + " " + pair.parent_equals + " " + b + "." + name;
    }
    return condition;
}

std::string ForeignKey::refers_at_all(const std::string &child_alias) const {
    std::string condition;
    for (const Pair &pair : pairs)
        condition +=
            (condition.empty() ? "" : " AND ") + child_alias + "." + quote_name(pair.child_column) + " IS NOT NULL";
    return condition;
}

ReadableRelation readable(Oid relation) {
    Query query;
    Rows rows = query.run("SELECT relkind = 'p', relowner FROM pg_catalog.pg_class WHERE oid = $1",
                          {Value::regclass(relation)});
    std::string name = qualified_name(relation);
    return {rows[0].boolean(1) ? name : "ONLY " + name, rows[0].oid(2)};
}

std::vector<ForeignKey> foreign_keys_of(std::span<const Oid> relations) {
    std::vector<std::int64_t> oids(relations.begin(), relations.end());
    Query query;
    std::vector<ForeignKey> keys;
    Oid last = InvalidOid;
    for (Row row : query.run(
             "SELECT c.oid, c.conname::text, c.conrelid::oid, c.confrelid::oid, ca.attname::text, pa.attname::text,"
             "       pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname), NOT ca.attnotnull,"
             "       c.confdeltype = 'n' AND (c.confdelsetcols IS NULL OR ca.attnum = ANY (c.confdelsetcols)),"
             "       CASE c.confdeltype WHEN 'c' THEN 1 WHEN 'n' THEN 2 WHEN 'd' THEN 3 ELSE 0 END,"
             "       pg_catalog.format('OPERATOR(%I.%s)', ppn.nspname, pp.oprname)"
             " FROM pg_catalog.pg_constraint c"
             " CROSS JOIN LATERAL pg_catalog.generate_subscripts(c.conkey, 1) AS k"
             " JOIN pg_catalog.pg_attribute ca ON ca.attrelid = c.conrelid AND ca.attnum = c.conkey[k]"
             " JOIN pg_catalog.pg_attribute pa ON pa.attrelid = c.confrelid AND pa.attnum = c.confkey[k]"
             " JOIN pg_catalog.pg_operator o ON o.oid = c.conpfeqop[k]"
             " JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace"
             " JOIN pg_catalog.pg_operator pp ON pp.oid = c.conppeqop[k]"
             " JOIN pg_catalog.pg_namespace ppn ON ppn.oid = pp.oprnamespace"
             " WHERE c.contype = 'f' AND c.conparentid = 0"
             "   AND (c.conrelid::bigint = ANY ($1) OR c.confrelid::bigint = ANY ($1))"
             " ORDER BY c.oid, k",
             {Value::bigint_array(oids)})) {
        if (row.oid(1) != last)
            keys.push_back(
                {row.text(2), row.oid(3), row.oid(4), {}, static_cast<ForeignKey::OnDelete>(row.integer(10))});
        last = row.oid(1);
        keys.back().pairs.push_back(
            {row.text(5), row.text(6), row.text(7), row.text(11), row.boolean(8), row.boolean(9)});
    }
    return keys;
}

} // namespace snapback
