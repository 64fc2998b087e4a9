// Compares a table's schema with that of a snapshot.
#include "restore/plan/drift.hpp"

#include <algorithm>

#include "postgres/spi/arguments.hpp"
#include "postgres/spi/result_set.hpp"
#include "postgres/spi/row_filter.hpp"
#include "snapshot/renamed_labels.hpp"

namespace snapback {

namespace {

std::string column(const std::string &name) {
    return "column \"" + name + "\"";
}

bool contains(const std::vector<std::string> &names, const std::string &wanted) {
    return std::find(names.begin(), names.end(), wanted) != names.end();
}

/// Quote the names if necessary and separate them by commas.
std::string listed(const std::vector<std::string> &names) {
    std::string list;
    for (const std::string &name : names)
        list += (list.empty() ? "" : ", ") + quote_name(name);
    return list;
}

/// Compares the shape of stored rows with that of the live table.
class Drift {
public:
    Drift(const Shape &stored, const RelationShape &live)
        : stored_(stored), live_(live), matched_(match_columns(stored, live)),
          followed_(columns_as_called_now(stored, live)) {}

    std::vector<std::string> notes() {
        note_table();
        for (std::size_t i = 0; i < followed_.size(); i++)
            note_stored_column(stored_.columns[i], matched_[i], followed_[i]);
        for (const ShapeColumn &now : live_.stored.columns)
            note_live_column(now);
        for (const LabelledColumn &labelled : live_.labelled)
            note_labels(live_.columns[labelled.column].name, RenamedLabels(labelled, stored_.label_renames));
        note_key();
        return std::move(notes_);
    }

private:
    void note_table() {
        if (stored_.schema != live_.stored.schema || stored_.table != live_.stored.table)
            notes_.push_back("the name of the table in the snapshot is " + quote_name(stored_.schema) + "." +
                             quote_name(stored_.table));
    }

    void note_stored_column(const ShapeColumn &then, const ColumnNow &matched, const ShapeColumn &followed) {
        std::size_t now = live_.column_named(followed.name);
        if (now == live_.columns.size() && matched.former) {
            notes_.push_back(column(then.name) + " is now named \"" + *matched.former +
                             "\", and the snapshot contains a " + "column of that name too: the values of \"" +
                             then.name + "\" are not restored");
            return;
        }
        if (now == live_.columns.size()) {
            bool generated = contains(live_.stored.generated, followed.name);
            notes_.push_back(generated
                                 ? column(followed.name) + " is now a generated column: its values in the "
                                                           "snapshot are not restored"
                                 : column(then.name) + " was dropped after the snapshot: its values are not restored");
            return;
        }
        if (matched.replaced)
            note_replaced_column(matched);
        if (then.name != followed.name)
            notes_.push_back(column(then.name) + " is now named \"" + followed.name + "\"");
        const std::string &type = live_.stored.columns[now].type;
        if (then.type != type)
            notes_.push_back(column(followed.name) + " changed its type from " + then.type + " to " + type +
                             ": values are converted through text");
    }

    void note_replaced_column(const ColumnNow &matched) {
        std::string former;
        if (matched.former)
            former = "; the former one is now named \"" + *matched.former + "\"" +
                     (matched.former_too ? " and gets them too" : "");
        notes_.push_back(column(*matched.name) + " is now another column: it gets the values by its name" + former);
    }

    void note_labels(const std::string &name, const RenamedLabels &labels) {
        for (const Renames &step : labels.renames())
            for (std::size_t i = 0; i < step.from.size(); i++)
                notes_.push_back("label \"" + step.from[i] + "\" in " + column(name) + " is now named \"" + step.to[i] +
                                 "\"");
    }

    void note_live_column(const ShapeColumn &now) {
        for (const ShapeColumn &followed : followed_)
            if (followed.name == now.name)
                return;
        for (const ColumnNow &matched : matched_)
            if (matched.former_too && matched.former == now.name)
                return;
        notes_.push_back(column(now.name) +
                         (contains(generated_then(), now.name)
                              ? " was a generated column and is not in the snapshot: restored rows get its default"
                              : " was added after the snapshot: restored rows get its default"));
    }

    void note_key() {
        std::vector<std::string> then;
        std::vector<std::string> now;
        for (std::size_t i : stored_.key)
            then.push_back(followed_[i].name.empty() ? stored_.columns[i].name : followed_[i].name);
        for (const KeyColumn &part : live_.key)
            now.push_back(live_.columns[part.column].name);
        if (then != now)
            notes_.push_back("the key changed from (" + listed(then) + ") to (" + listed(now) +
                             "): rows are matched by the new key");
    }

    /// The current names of the columns that were generated when the snapshot was taken.
    std::vector<std::string> generated_then() const {
        std::vector<std::string> names;
        for (const std::optional<std::string> &name : follow_renames(stored_.generated, stored_.renames, live_.renames))
            names.push_back(name.value_or(""));
        return names;
    }

    const Shape &stored_;
    const RelationShape &live_;
    std::vector<ColumnNow> matched_;
    std::vector<ShapeColumn> followed_;
    std::vector<std::string> notes_;
};

} // namespace

std::vector<std::string> drift_notes(const ManifestTable &stored, const RelationShape &live) {
    Shape shape = read_shape(stored.shape);
    return Drift(shape, live).notes();
}

std::string name_then(const ManifestTable &stored) {
    Shape shape = read_shape(stored.shape);
    return quote_name(shape.schema) + "." + quote_name(shape.table);
}

namespace {

/// Throw Error (SB009) if the snapshot contains another relation, which this one has replaced.
void require_same_table(const ProtectedTable &table, Oid relation, const Manifest &manifest,
                        const ManifestTable &stored) {
    Query query;
    bool is_other = query
                        .run_kept("SELECT EXISTS (SELECT FROM snapback.protected_table t, snapback.snapshot s"
                                  " WHERE t.id = $1 AND s.id = $2 AND s.captured_at <@ t.replaced_during)",
                                  {Value::integer(table.id), Value::uuid(manifest.id)})[0]
                        .boolean(1);
    if (is_other)
        throw Error(sqlstate::schema_changed, "the snapshot contains " + name_then(stored) + ", which " +
                                                  qualified_name(relation) + " has replaced")
            .with_hint("Choose a snapshot from before the tables were exchanged, or a later one, or other options.");
}

} // namespace

RelationShape shape_to_restore(const ProtectedTable &table, const Manifest &manifest, const ManifestTable &stored) {
    Oid relation = relation_of(table, manifest.community);
    if (!call([&] { return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation)); }))
        throw Error(sqlstate::undefined_object, name_then(stored) + " was dropped after the snapshot")
            .with_hint(
                "Restore other options. If the table has been recreated, call snapback.protect() for the new one, "
                "which then replaces the old one.");
    require_same_table(table, relation, manifest, stored);
    return relation_shape(relation);
}

std::optional<Error> find_unusable_option(Query &query, const TablePlan &plan,
                                          const std::vector<std::string> &options) {
    Rows broken = query.run_kept(
        "SELECT CASE WHEN EXISTS (SELECT FROM snapback.coverage c WHERE c.table_id = t.id AND c.option = ANY ($3)"
        "                         AND pg_catalog.num_nonnulls(c.columns, c.filter) > 0)"
        "       THEN snapback_internal.coverage_problem(t, $2, $3) END"
        " FROM snapback.protected_table t WHERE t.id = $1",
        {Value::integer(plan.table.id), Value::regclass(plan.live.relation), Value::text_array(options)});
    if (broken.empty())
        throw Error(sqlstate::undefined_object, plan.live.name + " is no longer protected")
            .with_hint("Restore other options, or protect the table again: later snapshots can then be restored.");
    if (!broken[0].is_null(1))
        return Error(sqlstate::schema_changed, broken[0].text(1))
            .with_hint("Call snapback.protect() again with columns and a filter that match the table.");
    for (Row row : query.run_kept("SELECT option, filter FROM snapback.coverage"
                                  " WHERE table_id = $1 AND option = ANY ($2) AND filter IS NOT NULL ORDER BY option",
                                  {Value::integer(plan.table.id), Value::text_array(options)}))
        for (AttrNumber number : columns_of_filter(plan.live.relation, row.text(2)))
            for (std::size_t i = 0; i < plan.live.columns.size(); i++)
                if (plan.live.columns[i].number == number && !plan.mapped[i])
                    return Error(sqlstate::schema_changed, "option " + row.text(1) + " selects rows of " +
                                                               plan.live.name + " by (" + row.text(2) +
                                                               "), but the snapshot has no column \"" +
                                                               plan.live.columns[i].name + "\"")
                        .with_hint("Choose a later snapshot, or other options.");
    return std::nullopt;
}

SNAPBACK_FUNCTION(snapback_schema_changes) {
    ResultSet result(fcinfo);
    Oid relation = PG_GETARG_OID(1);
    Manifest manifest = read_manifest(uuid_argument(fcinfo, 0));
    Query query;
    Rows id = query.run("SELECT snapback_internal.protected_table_id($1)", {Value::regclass(relation)});
    RelationShape live = relation_shape(relation);
    const ManifestTable *stored = manifest.table(id[0].integer(1));
    if (!stored)
        throw Error(sqlstate::option_not_in_snapshot, live.name + " is not in snapshot " + manifest.id)
            .with_hint("It was protected after that snapshot was taken.");
    for (const std::string &note : drift_notes(*stored, live))
        result.add({Value::text(note)});
    PG_RETURN_NULL();
}

} // namespace snapback
