// The difference between a snapshot and the live rows of a community, table by table.
#include "restore/plan/difference.hpp"

#include <algorithm>

#include "core/row_merge.hpp"
#include "postgres/exec/as_owner.hpp"
#include "postgres/exec/snapshot_scope.hpp"
#include "postgres/spi/spill_file.hpp"
#include "restore/plan/plan_rows.hpp"
#include "settings/settings.hpp"
#include "snapshot/row_decoder.hpp"
#include "snapshot/row_encoder.hpp"
#include "snapshot/table_contents.hpp"

namespace snapback {

namespace {

/// "(w covered OR p covered)": a row is selected if the condition is true in the snapshot or now.
std::string covered(const TablePlan &plan, std::size_t i) {
    std::string name = condition_name(plan, i);
    return "(w." + name + " OR p." + name + ")";
}

/// The new value of a column in a changed row: the snapshot's value if a condition that covers the column is true.
std::string new_value(const TablePlan &plan, std::size_t column) {
    const std::string &name = plan.live.columns[column].name;
    std::string quoted = quote_name(name);
    if (!plan.mapped[column])
        return "p." + quoted;
    if (plan.selection.rows == "true")
        return "w." + quoted;
    std::string condition;
    auto add = [&](std::size_t i) { condition += (condition.empty() ? "" : " OR ") + covered(plan, i); };
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

/// Find columns that cannot be updated in place: those of unique and exclusion indexes except the key, which could
/// conflict with other rows of the restore, and identity columns that are GENERATED ALWAYS.
std::vector<std::string> delicate_columns(const TablePlan &plan) {
    Query query;
    std::vector<std::string> names;
    for (Row row :
         // This reads the indexes once, not for each column.
         query.run_kept("SELECT DISTINCT a.attname::text FROM pg_catalog.pg_attribute a"
                        " WHERE a.attrelid = $1 AND a.attnum > 0 AND a.attgenerated = '' AND NOT a.attisdropped "
                        "AND (a.attidentity = 'a' OR a.attname IN ("
                        "   SELECT m.attname FROM pg_catalog.pg_index i"
                        "   JOIN pg_catalog.pg_class r ON r.oid = i.indexrelid"
                        "   JOIN pg_catalog.pg_attribute m ON m.attrelid = i.indrelid AND m.attnum > 0"
                        // An index may exist on a partition only.
                        "   WHERE i.indrelid = ANY (ARRAY(SELECT p.relid::oid"
                        "       FROM pg_catalog.pg_partition_tree($1) p WHERE p.level > 0) || $1::oid)"
                        "     AND (i.indrelid = $1 AND NOT i.indisprimary"
                        "       OR i.indrelid <> $1 AND NOT r.relispartition)"
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

/// Rows on both sides whose selected columns differ, as they will be; `where` is a condition over u (new) and p (now).
std::string changed_rows(const TablePlan &plan, const std::string &where) {
    std::vector<std::string> conditions;
    if (!plan.selection.rows.empty())
        conditions.push_back(plan.selection.rows);
    for (const Selection::Part &part : plan.selection.parts)
        conditions.push_back(part.rows);
    std::string values;
    for (std::size_t i = 0; i < plan.live.columns.size(); i++)
        values += (i ? ", " : "") + new_value(plan, i) + " AS " + quote_name(plan.live.columns[i].name);
    return "SELECT " + plan.columns("u") + " FROM " + with_conditions(plan, plan.see("wanted"), conditions, "w") +
           " JOIN " + with_conditions(plan, plan.see("present"), conditions, "p") + " ON " + plan.same_key("w", "p") +
           " CROSS JOIN LATERAL (" + plan.with_computed("SELECT " + values) + ") u WHERE " +
           images_differ(plan.columns("u"), plan.columns("p")) + " AND " + where;
}

/// Rows of one side without a counterpart on the other, if whole rows are selected.
std::string rows_only_in(const TablePlan &plan, const char *side, const char *other) {
    return "SELECT " + plan.columns("a") + " FROM " + plan.see(side) + " a WHERE (" + plan.selection.rows +
           ") IS TRUE AND NOT EXISTS (SELECT FROM " + plan.see(other) + " b WHERE " + plan.same_key("a", "b") + ")";
}

/// Find the missing rows. If all rows are missing, avoid a second copy of them.
void find_missing(Query &query, TablePlan &plan) {
    if (plan.selection.rows == "true" && plan.present.size() == 0)
        plan.insert.share(plan.wanted);
    else
        plan.insert.fill(query, rows_only_in(plan, "wanted", "present"));
}

/// Whether each row that differs is on both sides and gets all values of the snapshot. Then rows whose bytes differ
/// also differ as values, which is not certain for text forms.
bool are_changed_wholly(const TablePlan &plan) {
    return plan.selection.rows == "true" && plan.has_pairs_only() &&
           std::ranges::none_of(plan.live.columns,
                                [](const LiveColumn &column) { return column.form == FieldForm::text; });
}

/// Find a key column that is not in the snapshot (SB009).
std::optional<Error> find_changed_key(const TablePlan &plan) {
    for (const KeyColumn &part : plan.live.key)
        if (!plan.mapped[part.column])
            return Error(sqlstate::schema_changed, "the key of " + plan.live.name + " has changed: column \"" +
                                                       plan.live.columns[part.column].name +
                                                       "\" is not in the snapshot")
                .with_hint("Choose a later snapshot, or other options.");
    return std::nullopt;
}

/// Reads both sides of a table into the stores of its plan.
class Sides {
public:
    Sides(TablePlan &plan, const std::string &community, CurrentRows &current)
        : plan_(plan), community_(community), current_(current), chunks_(community),
          stored_(read_shape(plan.stored.shape)), then_(plan.stored, stored_, chunks_),
          from_snapshot_(stored_, plan.live, plan.computed.size()),
          from_live_(plan.live.stored, plan.live, plan.computed.size(), RowDecoder::Source::live) {
        plan_.mapped.clear();
        for (std::size_t i = 0; i < plan_.live.columns.size(); i++)
            plan_.mapped.push_back(from_snapshot_.mapped(i));
    }

    /// Whether equal bytes mean equal rows, and both sides have the same order of rows.
    bool are_comparable() const { return from_snapshot_.stores_alike() && stored_.key == plan_.live.stored.key; }

    void load_all() {
        plan_.live_rows = current_.visit(
            plan_.table, plan_.live,
            [this](const Digest &, const std::function<std::string()> &content) { add_present(content()); });
        for (std::size_t i = 0; i < then_.size(); i++)
            add_wanted(then_.content(i));
    }

    void load_differing() {
        // Form chunks again, because decoding a chunk is faster than decoding its rows one by one.
        ChunkCutter wanted([this](std::string &&content, std::uint32_t) { add_wanted(content); });
        ChunkCutter present([this](std::string &&content, std::uint32_t) { add_present(content); });
        RowMerge merge(
            {then_.digests(), [this](std::size_t chunk) { return then_.content(chunk); }}, KeyReader(plan_.live.stored),
            [this, &wanted](std::string_view row) { add_row(row, wanted, from_snapshot_, plan_.wanted); },
            [this, &present](std::string_view row) { add_row(row, present, from_live_, plan_.present); });
        plan_.live_rows = current_.visit(plan_.table, plan_.live,
                                         [&merge](const Digest &digest, const std::function<std::string()> &content) {
                                             merge.add(digest, content);
                                         });
        merge.finish();
        plan_.pairs = merge.pairs();
        wanted.finish();
        present.finish();
    }

    /// Read only the rows that have changed since a basis. Return false if they cannot be found.
    bool load_changed(const Basis &basis) {
        if (!plan_.table.relation_name.empty() || !are_of_same_shape() ||
            !current_.hold_for_changes(plan_.table, plan_.live))
            return false;
        SnapshotScope snapshot;
        if (!basis.holds(plan_.table.id, table_fingerprint(plan_.table, plan_.live.relation)))
            return false;
        std::uint64_t since = basis.since();
        std::span<const std::string> community(&community_, 1);
        RemovedKeys removed(plan_.table, plan_.live, community, std::span<const std::uint64_t>(&since, 1));
        if (removed.read_in_full(0))
            return false;
        RowSorter sorter(settings().capture_memory(), open_temporary_file);
        auto sort = [&](std::uint32_t group, std::string_view key, std::string_view row) {
            sorter.add(group, key, row);
        };
        read_live_rows(plan_.table, plan_.live, community, sort, since);
        read_removed_keys(plan_.table, plan_.live, community, removed, sort);
        compare_changed(sorter);
        return true;
    }

    /// The error if a row could not be decoded (SB009).
    const std::optional<Error> &refusal() const { return refusal_; }

    void note_nulls() const {
        plan_.null_then.clear();
        for (std::size_t i = 0; i < plan_.live.columns.size(); i++)
            plan_.null_then.push_back(from_snapshot_.has_met_null(i));
    }

private:
    bool are_of_same_shape() const { return sha256(plan_.live.stored.to_text()) == plan_.stored.shape; }

    /// Compare changed rows, and keys of removed ones, with the snapshot.
    void compare_changed(RowSorter &sorter) {
        RowLookup lookup(then_, stored_);
        ChunkCutter wanted([this](std::string &&content, std::uint32_t) { add_wanted(content); });
        ChunkCutter present([this](std::string &&content, std::uint32_t) { add_present(content); });
        std::int64_t rows = then_.count();
        sorter.drain([&](std::uint32_t, std::string_view key, std::string_view now) {
            std::optional<std::string_view> then = lookup.find(key);
            rows += (now.empty() ? 0 : 1) - (then ? 1 : 0);
            if (then && *then == now)
                return;
            if (then)
                add_row(*then, wanted, from_snapshot_, plan_.wanted);
            if (!now.empty())
                add_row(now, present, from_live_, plan_.present);
            if (then && !now.empty())
                plan_.pairs++;
        });
        wanted.finish();
        present.finish();
        plan_.live_rows = static_cast<std::uint64_t>(rows);
    }

    void add_wanted(std::string_view rows) { add(rows, from_snapshot_, plan_.wanted); }
    void add_present(std::string_view rows) { add(rows, from_live_, plan_.present); }

    /// Decode a large row without a copy; collect other rows until they form a chunk.
    void add_row(std::string_view row, ChunkCutter &waiting, RowDecoder &decoder, TupleStore &store) {
        if (row.size() < ChunkCutter::target)
            return waiting.add("", row);
        waiting.finish();
        decode([&] { decode_row(row, decoder, plan_.live.owner, store); });
    }

    void add(std::string_view rows, RowDecoder &decoder, TupleStore &store) {
        decode([&] { decode_chunk(rows, decoder, plan_.live.owner, store); });
    }

    /// Decode rows. A type may reject a value, or its owner's code may fail. The live rows are still read to the end,
    /// because they may be captured at the same time.
    template <class Work> void decode(Work &&work) {
        if (refusal_)
            return;
        std::optional<UndoneError> error = attempt(work);
        if (!error)
            return;
        if (error->sqlstate != sqlstate::schema_changed)
            error->raise();
        refusal_ = error->as_error();
    }

    TablePlan &plan_;
    std::string community_;
    CurrentRows &current_;
    ChunkReader chunks_;
    Shape stored_;
    TableContents then_;
    RowDecoder from_snapshot_;
    RowDecoder from_live_;
    std::optional<Error> refusal_;
};

} // namespace

std::optional<Error> load_difference(TablePlan &plan, const std::string &community, CurrentRows &current, Extent extent,
                                     const Basis *basis) {
    Sides sides(plan, community, current);
    bool differing = extent == Extent::differing && sides.are_comparable();
    plan.pairs = 0;
    if (!differing)
        sides.load_all();
    else if (!basis || !sides.load_changed(*basis))
        sides.load_differing();
    sides.note_nulls();
    plan.wanted.recount();
    plan.present.recount();
    std::optional<Error> obstacle = find_changed_key(plan);
    return obstacle ? obstacle : sides.refusal();
}

void work_out_changes(Query &query, TablePlan &plan, const RestoreOptions &switches) {
    bool updates = switches.updates && !plan.selection.empty() && plan.wanted.size() > 0 && plan.present.size() > 0;
    std::vector<std::string> delicate = updates ? delicate_columns(plan) : std::vector<std::string>{};
    AsOwner owner(plan.live.owner);
    if (!plan.selection.rows.empty() && switches.inserts && plan.wanted.size() > 0 && !plan.has_pairs_only())
        find_missing(query, plan);
    if (!plan.selection.rows.empty() && switches.deletes && plan.present.size() > 0 && !plan.has_pairs_only()) {
        plan.added.fill(query, rows_only_in(plan, "present", "wanted"));
        plan.remove.fill(query, "SELECT " + plan.columns("") + " FROM " + plan.see("added"));
    }
    if (!updates)
        return;
    if (delicate.empty() && are_changed_wholly(plan))
        return plan.update.share(plan.wanted);
    std::string in_place =
        delicate.empty() ? "true" : "NOT " + images_differ(prefixed(delicate, "u"), prefixed(delicate, "p"));
    plan.update.fill(query, changed_rows(plan, in_place));
    if (!delicate.empty())
        plan.reinsert.fill(query, changed_rows(plan, "NOT (" + in_place + ")"));
}

} // namespace snapback
