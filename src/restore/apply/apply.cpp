// Executes the plan. Triggers are disabled (session_replication_role); foreign keys are checked afterwards, set by set.
#include "restore/apply/apply.hpp"

#include "postgres/exec/as_owner.hpp"
#include "postgres/exec/triggers_off.hpp"
#include "restore/apply/always_fired.hpp"
#include "restore/check/state_checks.hpp"

namespace snapback {

namespace {

/// Name the unique value that a row outside the restore already holds.
std::optional<Error> explain_conflict(const TablePlan &plan, const ErrorReport &error) {
    if (error.sqlstate != sqlstate::unique_violation && error.sqlstate != sqlstate::exclusion_violation)
        return std::nullopt;
    return Error(error.sqlstate, "a row of " + plan.live.name + " cannot be restored: another row holds its value of " +
                                     (error.constraint.empty() ? "a unique index" : error.constraint) + " now")
        .with_detail(error.detail)
        .with_hint("Change that other row, or restore other options.");
}

/// Whether a rule of the table may prevent RETURNING, by which rows are counted.
bool has_rules(Query &query, Oid relation) {
    return query.run("SELECT relhasrules FROM pg_catalog.pg_class WHERE oid = $1", {Value::regclass(relation)})[0]
        .boolean(1);
}

/// Executes the plan and reports its progress.
class Writer {
public:
    Writer(Query &query, Progress &progress) : query_(query), progress_(progress) {}

    void remove(const TablePlan &plan, const TupleStore &store) {
        write(plan, {},
              "DELETE FROM " + plan.live.from() + " t USING " + store.name() + " x WHERE " + plan.same_key("t", "x"),
              store.size());
    }

    void update(const TablePlan &plan) {
        std::string assignments;
        for (std::size_t i = 0; i < plan.live.columns.size(); i++) {
            const LiveColumn &column = plan.live.columns[i];
            if (!plan.mapped[i] || column.always_identity)
                continue;
            std::string name = quote_name(column.name);
            assignments += (assignments.empty() ? "" : ", ") + name + " = x." + name;
        }
        write(plan, parts_of(plan).deferred(),
              "UPDATE " + plan.live.from() + " t SET " + assignments + " FROM " + plan.see("update") + " x WHERE " +
                  plan.same_key("t", "x"),
              plan.update.size());
    }

    /// Insert rows of a store; columns that are not listed take their default.
    void insert(const TablePlan &plan, const TupleStore &store, bool mapped_only) {
        std::string names;
        for (std::size_t i = 0; i < plan.live.columns.size(); i++)
            if (plan.mapped[i] || !mapped_only)
                names += (names.empty() ? "" : ", ") + quote_name(plan.live.columns[i].name);
        const WriteParts &parts = parts_of(plan);
        ChecksByRelation deferred = parts.deferred();
        auto statement = [&](const std::string &target) {
            return "INSERT INTO " + target + " (" + names + ") OVERRIDING SYSTEM VALUE SELECT " + names + " FROM " +
                   store.name();
        };
        if (!parts.apart)
            return write(plan, deferred, statement(plan.live.name), store.size());
        std::uint64_t written = 0;
        for (const WritePart &part : parts.parts)
            written += execute(plan, deferred, statement(qualified_name(part.relation)) + " WHERE " + part.takes,
                               store.size());
        require_count(plan, written, store.size());
    }

private:
    /// Find the relations that rows are written to, and the constraints that are checked later.
    const WriteParts &parts_of(const TablePlan &plan) {
        auto [known, is_new] = parts_.try_emplace(plan.live.relation);
        if (is_new && plan.written() > 0)
            known->second = write_parts(query_, plan);
        return known->second;
    }

    /// Run one writing statement as the table's owner; it must affect the planned number of rows.
    void write(const TablePlan &plan, const ChecksByRelation &deferred, const std::string &sql, std::uint64_t planned) {
        require_count(plan, execute(plan, deferred, sql, planned), planned);
    }

    /// Run one writing statement as the table's owner, without some constraints; return the number of affected rows.
    std::uint64_t execute(const TablePlan &plan, const ChecksByRelation &deferred, const std::string &sql,
                          std::uint64_t planned) {
        if (planned == 0)
            return 0;
        bool counted = !has_rules(query_, plan.live.relation);
        AsOwner owner(plan.live.owner);
        DeferredChecks later(deferred);
        explaining(
            [&] {
                if (counted)
                    run_counted(plan, sql, planned);
                else
                    run_uncounted(plan, sql, planned);
            },
            [&](const ErrorReport &error) { return explain_conflict(plan, error); });
        return query_.affected();
    }

    static void require_count(const TablePlan &plan, std::uint64_t touched, std::uint64_t planned) {
        if (touched != planned)
            throw Error(sqlstate::restore_conflict, "restoring " + plan.live.name + " affected " +
                                                        std::to_string(touched) + " rows instead of " +
                                                        std::to_string(planned))
                .with_hint("A trigger that is ENABLE ALWAYS or REPLICA may have interfered.");
    }

    void run_counted(const TablePlan &plan, const std::string &sql, std::uint64_t planned) {
        progress_.count(plan.live.name, planned);
        query_.write(sql + " RETURNING NULL", [&](TupleTableSlot *) { progress_.advance(); });
    }

    void run_uncounted(const TablePlan &plan, const std::string &sql, std::uint64_t planned) {
        progress_.table(plan.live.name, planned);
        query_.run(sql);
    }

    Query &query_;
    Progress &progress_;
    std::map<Oid, WriteParts> parts_;
};

} // namespace

void apply(Query &query, const Plan &plan, Progress &progress) {
    make_constraint_triggers_immediate(query, plan);
    TriggersOff triggers_off;
    Writer writer(query, progress);
    progress.at("deleting");
    for (const auto &table : plan.tables()) {
        writer.remove(*table, table->remove);
        writer.remove(*table, table->reinsert);
    }
    progress.at("updating");
    for (const auto &table : plan.tables())
        writer.update(*table);
    progress.at("inserting");
    for (const auto &table : plan.tables()) {
        writer.insert(*table, table->reinsert, false);
        writer.insert(*table, table->insert, true);
    }
}

} // namespace snapback
