// Finds rows of a snapshot that the table no longer accepts, before anything is written.
#include "restore/check/violations.hpp"

#include <algorithm>

#include "catalog/expression_trial.hpp"
#include "catalog/own_schema.hpp"
#include "postgres/catalog/domains.hpp"
#include "postgres/catalog/self_contained.hpp"
#include "postgres/exec/as_owner.hpp"
#include "postgres/spi/free_prefix.hpp"
#include "restore/check/state_checks.hpp"
#include "restore/check/whole_rows.hpp"
#include "restore/plan/notes.hpp"

namespace snapback {

namespace {

constexpr std::int64_t most_partitions_asked = 256;

/// "ROW(a.x, a.y)::text": the key of a row in messages.
std::string key_text(const TablePlan &plan, const std::string &alias) {
    std::string list;
    for (const KeyColumn &part : plan.live.key)
        list += (list.empty() ? "" : ", ") + alias + "." + quote_name(plan.live.columns[part.column].name);
    return "ROW(" + list + ")::pg_catalog.text";
}

/// Whether the snapshot's key has the same columns with the same types.
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
                 "the key of " + plan.live.name + " has changed: the snapshot contains " + trouble)
        .with_hint("Choose a later snapshot, or other options.");
}

/// Finds the violations of one table.
class ViolationSearch {
public:
    ViolationSearch(Query &query, const TablePlan &plan) : query_(query), plan_(plan), rows_(query, plan) {}

    void run(const std::vector<ForeignKey> &keys) {
        AsOwner owner(plan_.live.owner); // expressions depend on the settings under which they are read
        read_mandatory_columns();
        find_missing_values();
        find_nulls();
        find_refused_by_checks();
        find_refused_by_domains();
        find_unplaced();
        for (const ForeignKey &key : keys)
            if (key.child == plan_.live.relation && key.match_full)
                find_half_references(key);
    }

    const std::vector<Error> &obstacles() const { return obstacles_; }
    /// Constraints that may fail after everything has been written.
    const std::vector<std::string> &notes() const { return notes_; }

private:
    void read_mandatory_columns() {
        for (Row row : query_.run("SELECT a.attname::text FROM pg_catalog.pg_attribute a"
                                  " JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
                                  " WHERE a.attrelid = $1 AND a.attnum > 0 AND (a.attnotnull OR t.typnotnull)"
                                  "   AND a.attgenerated = '' AND NOT a.attisdropped ORDER BY a.attnum",
                                  {Value::regclass(plan_.live.relation)}))
            mandatory_.push_back(plan_.live.column_named(row.text(1)));
    }

    /// Find added NOT NULL columns without a default, which inserted rows have no value for.
    void find_missing_values() {
        for (std::size_t column : mandatory_)
            if (!plan_.mapped[column] && !rows_.default_of(column).exists && plan_.insert.size() > 0)
                refuse("column \"" + plan_.live.columns[column].name +
                       "\" was added after the snapshot, is NOT NULL and has no default: add a default, or "
                       "restore other options");
    }

    void find_nulls() {
        // IS NULL is true for a composite value whose fields are all NULL.
        std::string any;
        for (std::size_t column : mandatory_)
            if (plan_.mapped[column] && plan_.null_then[column])
                any += (any.empty() ? "w." : " OR w.") + quote_name(plan_.live.columns[column].name) +
                       " IS NOT DISTINCT FROM NULL";
        std::string written = " FROM " + plan_.written_rows() + " w WHERE ";
        if (any.empty() || query_.run("SELECT" + written + any + " LIMIT 1").empty())
            return;
        for (std::size_t column : mandatory_) {
            if (!plan_.mapped[column] || !plan_.null_then[column])
                continue;
            const std::string &name = plan_.live.columns[column].name;
            Rows rows = query_.run("SELECT pg_catalog.min(" + key_text(plan_, "w") + "), pg_catalog.count(*)" +
                                   written + "w." + quote_name(name) + " IS NOT DISTINCT FROM NULL");
            if (rows[0].bigint(2) > 0)
                refuse("column \"" + name + "\" no longer accepts NULL, and the snapshot contains NULL in " +
                       counted(rows[0].bigint(2), rows[0].text(1)) + ": allow NULL again, or restore other options");
        }
    }

    void find_refused_by_checks() {
        for (Row row :
             query_.run("SELECT c.conname::text, pg_catalog.pg_get_expr(c.conbin, c.conrelid), c.conkey::text[],"
                        "       c.oid, c.conbin::text"
                        " FROM pg_catalog.pg_constraint c WHERE c.conrelid = $1 AND c.contype = 'c'"
                        // NOT ENFORCED constraints exist in later versions only.
                        "   AND coalesce(pg_catalog.to_jsonb(c) ->> 'conenforced', 'true') = 'true'"
                        // Only the table itself can evaluate references to whole rows.
                        "   AND NOT 0 = ANY (coalesce(c.conkey, '{}')) ORDER BY c.conname",
                        {Value::regclass(plan_.live.relation)})) {
            bool changed_only = false;
            for (const std::string &number : row.is_null(3) ? std::vector<std::string>{} : row.text_array(3))
                changed_only = changed_only || rows_.is_uncertain(static_cast<AttrNumber>(std::stoi(number)));
            find_refused({row.oid(4), row.text(1), row.text(2)}, is_self_contained(row.text(5)), changed_only);
        }
    }

    void find_refused(const WritePart::Check &check, bool self_contained, bool changed_only) {
        std::int64_t refused_rows = 0;
        std::string first;
        bool is_left = !self_contained && is_left_to_the_end();
        std::optional<UndoneError> error = attempt_where(is_left, [&] {
            std::string refused = quote_name(free_prefix(plan_.live.relation) + "refused");
            Rows rows =
                query_.run("SELECT pg_catalog.min(k), pg_catalog.count(*) FROM (SELECT " + key_text(plan_, "w") +
                           " AS k FROM (SELECT *, (" + check.condition + ") IS FALSE AS " + refused + " FROM " +
                           rows_.query(changed_only) + " r) w WHERE w." + refused + ") f");
            refused_rows = rows[0].bigint(2);
            first = rows[0].optional_text(1).value_or("");
        });
        std::string constraint = "constraint \"" + check.name + "\"";
        if (error && !error->is_refusal())
            error->raise();
        if (error && (self_contained || is_about_definitions(*error)))
            refuse(constraint + " cannot be evaluated for rows of the snapshot (" + error->message +
                       "): change the constraint, or restore other options",
                   cure(*error, {check.constraint}));
        else if (error)
            notes_.push_back(later(constraint) + "with the current data it fails: " + error->message);
        else if (refused_rows > 0 && self_contained)
            refuse(constraint + " rejects " + counted(refused_rows, first) +
                   " of the snapshot: change the constraint, or restore other options");
        else if (refused_rows > 0)
            notes_.push_back(later(constraint) + "with the current data it rejects " +
                             rows_in_words(static_cast<std::uint64_t>(refused_rows)));
    }

    /// Whether constraints that call functions are checked after the writes, with settings that we choose. The result
    /// is cached, because it needs queries for each partition.
    bool is_left_to_the_end() {
        if (!is_left_)
            is_left_ = !plan_.live.partitioned || !write_parts(query_, plan_).parts.empty();
        return *is_left_;
    }

    std::optional<UndoneError> attempt_where(bool is_left, const std::function<void()> &body) {
        return is_left ? attempt_with_own_schema(query_, plan_.live.relation, body) : attempt(body);
    }

    /// Find values that domains reject. Unchanged values need not satisfy them.
    void find_refused_by_domains() {
        for (std::size_t i = 0; i < plan_.live.columns.size(); i++) {
            const LiveColumn &column = plan_.live.columns[i];
            if (!plan_.mapped[i] || !call([&] { return contains_domain(column.type); }))
                continue;
            std::optional<UndoneError> error = find_refused_by_domain(query_, plan_, i);
            bool is_known = std::ranges::find(mandatory_, i) != mandatory_.end();
            if (error && !(is_known && error->sqlstate == sqlstate::not_null_violation))
                judge_domain(column, *error);
        }
    }

    void judge_domain(const LiveColumn &column, const UndoneError &error) {
        if (!error.is_refusal())
            error.raise();
        std::vector<Oid> checks = domain_checks_to_try(query_, column.type);
        if (checks.empty() || is_about_definitions(error))
            obstacles_.push_back(
                Error(sqlstate::schema_changed, "column \"" + column.name + "\" of " + plan_.live.name +
                                                    " no longer accepts a value of the snapshot: " + error.message)
                    .with_hint(cure(error, checks) +
                               "Change the column so that it accepts the value during the restore, "
                               "or restore other options."));
        else
            notes_.push_back(later("the domain of column \"" + column.name + "\"") +
                             "with the current data it rejects a value of the snapshot");
    }

    /// Whether an error does not depend on data: an object is missing or may not be used.
    static bool is_about_definitions(const ErrorReport &error) { return error.sqlstate.substr(0, 2) == "42"; }

    /// "constraint "x" calls a function …; ": why it is a note and not an obstacle.
    static std::string later(const std::string &constraint) {
        return constraint + " calls a function that may read other rows, and is checked after all rows have been "
                            "restored; ";
    }

    /// The hint to set a search_path if a name was not found.
    std::string cure(const ErrorReport &error, const std::vector<Oid> &constraints) {
        std::string text = is_about_names(error) ? search_path_cure(query_, "pg_constraint", constraints) : "";
        return text.empty() ? text : text + " ";
    }

    void refuse(const std::string &violation, const std::string &hint = "") {
        obstacles_.push_back(
            Error(sqlstate::restore_conflict, plan_.live.name + " cannot be restored: " + violation)
                .with_hint(hint + "Nothing was changed; snapback.preview_restore() lists all obstacles."));
    }

    /// Find rows that no partition accepts. With very many partitions this takes longer than the inserts.
    void find_unplaced() {
        if (!plan_.live.partitioned)
            return;
        Rows leaves =
            query_.run("SELECT pg_catalog.string_agg(pg_catalog.pg_get_partition_constraintdef(p.relid), ' OR '),"
                       " pg_catalog.count(*) FROM pg_catalog.pg_partition_tree($1) p WHERE p.isleaf",
                       {Value::regclass(plan_.live.relation)});
        if (leaves[0].bigint(2) > most_partitions_asked)
            return;
        // Without partitions there is no condition; a default partition without others accepts all rows.
        std::string taken = leaves[0].bigint(2) == 0 ? "false" : leaves[0].optional_text(1).value_or("true");
        std::string placed = quote_name(free_prefix(plan_.live.relation) + "placed");
        Rows rows = query_.run("SELECT pg_catalog.min(" + key_text(plan_, "w") +
                               "), pg_catalog.count(*) FROM (SELECT *, (" + taken + ") IS TRUE AS " + placed +
                               " FROM " + rows_.query(rows_.is_uncertain(0)) + " r) w WHERE NOT w." + placed);
        if (rows[0].bigint(2) > 0)
            refuse("no partition accepts " + counted(rows[0].bigint(2), rows[0].text(1)) +
                   " of the snapshot: create one, or restore other options");
    }

    /// Find references that are partly NULL. The MATCH FULL foreign key may be newer than the snapshot.
    void find_half_references(const ForeignKey &key) {
        std::string columns;
        for (const ForeignKey::Pair &pair : key.pairs)
            columns += (columns.empty() ? "w." : ", w.") + quote_name(pair.child_column);
        Rows rows = query_.run("SELECT pg_catalog.min(" + key_text(plan_, "w") + "), pg_catalog.count(*) FROM " +
                               plan_.written_rows() + " w WHERE pg_catalog.num_nulls(" + columns + ") BETWEEN 1 AND " +
                               std::to_string(key.pairs.size() - 1) + key.child_belongs("w"));
        if (rows[0].bigint(2) > 0)
            refuse("foreign key \"" + key.name + "\" is MATCH FULL, and " +
                   counted(rows[0].bigint(2), rows[0].text(1)) +
                   " of the snapshot would have NULL in only some of its columns: change the foreign key, or restore "
                   "other options");
    }

    static std::string counted(std::int64_t rows, const std::string &key) {
        return rows == 1 ? "the row with the key " + key
                         : std::to_string(rows) + " rows, the first of them with the key " + key;
    }

    Query &query_;
    const TablePlan &plan_;
    WholeRows rows_;
    std::vector<std::size_t> mandatory_;
    std::optional<bool> is_left_;
    std::vector<Error> obstacles_;
    std::vector<std::string> notes_;
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

void find_violations(Query &query, TablePlan &plan, const std::vector<ForeignKey> &keys) {
    if (plan.written() == 0)
        return;
    ViolationSearch search(query, plan);
    search.run(keys);
    plan.obstacles.insert(plan.obstacles.end(), search.obstacles().begin(), search.obstacles().end());
    plan.notes.insert(plan.notes.end(), search.notes().begin(), search.notes().end());
}

} // namespace snapback
