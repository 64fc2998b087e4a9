// Whether rows of a snapshot fit a table whose definition may have changed since, found out before anything is written.
#include "restore/fitting_rows.hpp"

#include "postgres/as_owner.hpp"
#include "postgres/free_prefix.hpp"
#include "restore/whole_rows.hpp"

namespace snapback {

namespace {

constexpr std::int64_t most_partitions_asked = 256;

/// "ROW(a.x, a.y)::text": the key of a row as messages show it.
std::string key_text(const TablePlan &plan, const std::string &alias) {
    std::string list;
    for (const KeyColumn &part : plan.live.key)
        list += (list.empty() ? "" : ", ") + alias + "." + quote_name(plan.live.columns[part.column].name);
    return "ROW(" + list + ")::pg_catalog.text";
}

/// Whether the snapshot's rows were told apart by the same columns, of the same types.
bool has_same_key(const TablePlan &plan) {
    Shape stored = read_shape(plan.stored.shape);
    std::vector<ShapeColumn> columns = columns_as_called_now(stored, plan.live);
    if (stored.key.size() != plan.live.key.size())
        return false;
    for (std::size_t i = 0; i < stored.key.size(); i++)
        if (columns[stored.key[i]] != plan.live.stored.columns[plan.live.key[i].column])
            return false;
    return true;
}

Error key_has_changed(const TablePlan &plan, const std::string &trouble) {
    return Error(sqlstate::schema_changed,
                 "the key of " + plan.live.name + " has changed: the snapshot holds " + trouble)
        .with_hint("Choose a snapshot that was taken since, or other options.");
}

/// Looks for misfits of one table, kind by kind.
class MisfitSearch {
public:
    MisfitSearch(Query &query, const TablePlan &plan) : query_(query), plan_(plan), rows_(query, plan) {}

    std::vector<std::string> run(const std::vector<ForeignKey> &keys) {
        AsOwner owner(plan_.live.owner); // expressions are read from the catalogs under the settings they are run with
        read_mandatory_columns();
        find_missing_values();
        find_nulls();
        find_refused_by_checks();
        find_unplaced();
        for (const ForeignKey &key : keys)
            if (key.child == plan_.live.relation && key.match_full)
                find_half_references(key);
        return std::move(found_);
    }

private:
    void read_mandatory_columns() {
        for (Row row : query_.run("SELECT a.attname::text FROM pg_catalog.pg_attribute a"
                                  " JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
                                  " WHERE a.attrelid = $1 AND a.attnum > 0 AND (a.attnotnull OR t.typnotnull)"
                                  "   AND a.attgenerated = '' AND NOT a.attisdropped ORDER BY a.attnum",
                                  {Value::regclass(plan_.live.relation)}))
            mandatory_.push_back(plan_.live.column_named(row.text(1)));
    }

    /// Columns added since that must have a value, and that rows which return have none for.
    void find_missing_values() {
        for (std::size_t column : mandatory_)
            if (!plan_.mapped[column] && !rows_.default_of(column).exists && plan_.insert.size() > 0)
                found_.push_back(
                    "column \"" + plan_.live.columns[column].name +
                    "\" was added since, takes no NULL and has no default, so no row can return: give it a "
                    "default, or restore other options");
    }

    void find_nulls() {
        // Not IS NULL, which a composite value of nothing but NULLs meets too.
        std::string any;
        for (std::size_t column : mandatory_)
            any += (any.empty() ? "w." : " OR w.") + quote_name(plan_.live.columns[column].name) +
                   " IS NOT DISTINCT FROM NULL";
        std::string written = " FROM " + plan_.written_rows() + " w WHERE ";
        if (any.empty() || query_.run("SELECT" + written + any + " LIMIT 1").empty())
            return;
        for (std::size_t column : mandatory_) {
            if (!plan_.mapped[column])
                continue;
            const std::string &name = plan_.live.columns[column].name;
            Rows rows = query_.run("SELECT pg_catalog.min(" + key_text(plan_, "w") + "), pg_catalog.count(*)" +
                                   written + "w." + quote_name(name) + " IS NOT DISTINCT FROM NULL");
            if (rows[0].bigint(2) > 0)
                found_.push_back("column \"" + name + "\" takes no NULL now, and the snapshot holds NULL there in " +
                                 counted(rows[0].bigint(2), rows[0].text(1)) +
                                 ": let it take NULL again, or restore other options");
        }
    }

    void find_refused_by_checks() {
        for (Row row :
             query_.run("SELECT c.conname::text, pg_catalog.pg_get_expr(c.conbin, c.conrelid), c.conkey::text[]"
                        " FROM pg_catalog.pg_constraint c WHERE c.conrelid = $1 AND c.contype = 'c'"
                        // A column that only later versions have: declared NOT ENFORCED.
                        "   AND coalesce(pg_catalog.to_jsonb(c) ->> 'conenforced', 'true') = 'true'"
                        // Where the row is taken as a whole, only the table itself can say.
                        "   AND NOT 0 = ANY (coalesce(c.conkey, '{}')) ORDER BY c.conname",
                        {Value::regclass(plan_.live.relation)})) {
            bool changed_only = false;
            for (const std::string &number : row.is_null(3) ? std::vector<std::string>{} : row.text_array(3))
                changed_only = changed_only || rows_.is_uncertain(static_cast<AttrNumber>(std::stoi(number)));
            find_refused(row.text(1), row.text(2), changed_only);
        }
    }

    void find_refused(const std::string &constraint, const std::string &condition, bool changed_only) {
        std::optional<UndoneError> error = attempt([&] {
            std::string refused = quote_name(free_prefix(plan_.live.relation) + "refused");
            Rows rows = query_.run("SELECT pg_catalog.min(k), pg_catalog.count(*) FROM (SELECT " +
                                   key_text(plan_, "w") + " AS k FROM (SELECT *, (" + condition + ") IS FALSE AS " +
                                   refused + " FROM " + rows_.query(changed_only) + " r) w WHERE w." + refused + ") f");
            if (rows[0].bigint(2) > 0)
                found_.push_back("constraint \"" + constraint + "\" refuses " +
                                 counted(rows[0].bigint(2), rows[0].text(1)) +
                                 " of the snapshot: change the constraint, or restore other options");
        });
        if (error && !error->is_refusal())
            error->raise();
        if (error)
            found_.push_back("constraint \"" + constraint + "\" cannot be tried on rows of the snapshot (" +
                             error->message + "): change the constraint, or restore other options");
    }

    /// Rows that no partition takes. Where there are very many, it would take longer to ask than to find out.
    void find_unplaced() {
        if (!plan_.live.partitioned)
            return;
        Rows leaves =
            query_.run("SELECT pg_catalog.string_agg(pg_catalog.pg_get_partition_constraintdef(p.relid), ' OR '),"
                       " pg_catalog.count(*) FROM pg_catalog.pg_partition_tree($1) p WHERE p.isleaf",
                       {Value::regclass(plan_.live.relation)});
        if (leaves[0].bigint(2) > most_partitions_asked)
            return;
        // Without any partition there is no condition; a default partition that stands alone takes everything.
        std::string taken = leaves[0].bigint(2) == 0 ? "false" : leaves[0].optional_text(1).value_or("true");
        std::string placed = quote_name(free_prefix(plan_.live.relation) + "placed");
        Rows rows = query_.run("SELECT pg_catalog.min(" + key_text(plan_, "w") +
                               "), pg_catalog.count(*) FROM (SELECT *, (" + taken + ") IS TRUE AS " + placed +
                               " FROM " + rows_.query(rows_.is_uncertain(0)) + " r) w WHERE NOT w." + placed);
        if (rows[0].bigint(2) > 0)
            found_.push_back("no partition takes " + counted(rows[0].bigint(2), rows[0].text(1)) +
                             " of the snapshot: make one that does, or restore other options");
    }

    /// References of which a part is NULL, where the foreign key is MATCH FULL: it may be newer than the snapshot.
    void find_half_references(const ForeignKey &key) {
        std::string columns;
        for (const ForeignKey::Pair &pair : key.pairs)
            columns += (columns.empty() ? "w." : ", w.") + quote_name(pair.child_column);
        Rows rows = query_.run("SELECT pg_catalog.min(" + key_text(plan_, "w") + "), pg_catalog.count(*) FROM " +
                               plan_.written_rows() + " w WHERE pg_catalog.num_nulls(" + columns + ") BETWEEN 1 AND " +
                               std::to_string(key.pairs.size() - 1) + key.child_belongs("w"));
        if (rows[0].bigint(2) > 0)
            found_.push_back("foreign key \"" + key.name + "\" takes NULL in all its columns or in none, and " +
                             counted(rows[0].bigint(2), rows[0].text(1)) +
                             " of the snapshot would have it in some: change the foreign key, or restore other "
                             "options");
    }

    static std::string counted(std::int64_t rows, const std::string &key) {
        return rows == 1 ? "the row with the key " + key
                         : std::to_string(rows) + " rows, the first of them with the key " + key;
    }

    Query &query_;
    const TablePlan &plan_;
    WholeRows rows_;
    std::vector<std::size_t> mandatory_;
    std::vector<std::string> found_;
};

} // namespace

std::optional<Error> find_indistinct_keys(Query &query, const TablePlan &plan) {
    if (has_same_key(plan))
        return std::nullopt;
    AsOwner owner(plan.live.owner);
    std::string names;
    for (const KeyColumn &part : plan.live.key) {
        const std::string &name = plan.live.columns[part.column].name;
        names += (names.empty() ? "" : ", ") + quote_name(name);
        if (!query
                 .run("SELECT FROM " + plan.see("wanted") + " w WHERE w." + quote_name(name) +
                      " IS NOT DISTINCT FROM NULL LIMIT 1")
                 .empty())
            return key_has_changed(plan, "NULL in its column \"" + name + "\"");
    }
    Rows twice = query.run("SELECT ROW(" + names + ")::pg_catalog.text FROM " + plan.see("wanted") + " GROUP BY " +
                           names + " HAVING pg_catalog.count(*) > 1 LIMIT 1");
    if (!twice.empty())
        return key_has_changed(plan, "more than one row with the key " + twice[0].text(1));
    return std::nullopt;
}

void find_misfits(Query &query, TablePlan &plan, const std::vector<ForeignKey> &keys) {
    if (plan.written() == 0)
        return;
    for (const std::string &misfit : MisfitSearch(query, plan).run(keys))
        plan.obstacles.emplace_back(
            Error(sqlstate::restore_conflict, plan.live.name + " cannot be restored: " + misfit)
                .with_hint("Nothing was changed; snapback.preview_restore() lists all obstacles."));
}

} // namespace snapback
