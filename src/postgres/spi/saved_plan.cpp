#include "postgres/spi/saved_plan.hpp"

#include "postgres/exec/as_owner.hpp"
#include "postgres/exec/earlier_snapshot.hpp"

namespace snapback {

namespace {

/// Runs as the table's owner, to whom its policies do not apply, like PostgreSQL's foreign-key checks.
class AsTableOwner {
public:
    explicit AsTableOwner(Oid owner) {
        GetUserIdAndSecContext(&user_before_, &context_before_);
        SetUserIdAndSecContext(owner, context_before_ | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION |
                                          SECURITY_NOFORCE_RLS);
    }
    ~AsTableOwner() { SetUserIdAndSecContext(user_before_, context_before_); }
    AsTableOwner(const AsTableOwner &) = delete;
    AsTableOwner &operator=(const AsTableOwner &) = delete;

private:
    Oid user_before_;
    int context_before_;
};

/// Append the columns of the row that SPI fetched, copied to a context that outlives it.
void append_columns(std::vector<Value> &found) {
    TupleDesc shape = SPI_tuptable->tupdesc;
    for (int column = 1; column <= shape->natts; column++) {
        Form_pg_attribute attribute = TupleDescAttr(shape, column - 1);
        Value value{attribute->atttypid, 0, true};
        call([&] {
            value.datum = SPI_getbinval(SPI_tuptable->vals[0], shape, column, &value.null);
            if (!value.null)
                value.datum = SPI_datumTransfer(value.datum, attribute->attbyval, attribute->attlen);
        });
        found.push_back(value);
    }
}

} // namespace

SavedPlan::SavedPlan(Oid owner, const std::string &sql, std::span<const Oid> parameter_types)
    : owner_(owner), plan_(nullptr) {
    AsOwner settings(owner); // the plan keeps this search_path
    AsTableOwner unhindered(owner);
    plan_ = keep_plan(sql, parameter_types, 0);
}

SavedPlan::~SavedPlan() {
    if (plan_)
        call_noexcept([this] { SPI_freeplan(plan_); });
}

namespace {

/// Run a plan with the latest snapshot, or with an earlier one; a Postgres call.
int execute(SPIPlanPtr plan, Datum *values, const char *nulls, bool earlier) {
    CommandCounterIncrement(); // makes rows of the current statement visible
    if (!earlier)
        return SPI_execute_snapshot(plan, values, nulls, GetLatestSnapshot(), InvalidSnapshot, true, false, 1);
    Snapshot snapshot = register_earlier_snapshot();
    int code = SPI_execute_snapshot(plan, values, nulls, snapshot, InvalidSnapshot, true, false, 1);
    UnregisterSnapshot(snapshot);
    return code;
}

} // namespace

std::size_t SavedPlan::fetch_latest_row(std::span<const Value> parameters, std::vector<Value> &found) const {
    return fetch(parameters, false, found);
}

std::size_t SavedPlan::fetch_earlier_row(std::span<const Value> parameters, std::vector<Value> &found) const {
    return fetch(parameters, true, found);
}

std::size_t SavedPlan::fetch(std::span<const Value> parameters, bool earlier, std::vector<Value> &found) const {
    std::vector<Datum> datums;
    std::string nulls;
    for (const Value &parameter : parameters) {
        datums.push_back(parameter.datum);
        nulls.push_back(parameter.null ? 'n' : ' ');
    }
    std::optional<AsOwner> settings;
    if (fixed_settings_)
        settings.emplace(owner_);
    AsTableOwner owner(owner_);
    int code = call([&] { return execute(plan_, datums.data(), nulls.c_str(), earlier); });
    if (code != SPI_OK_SELECT)
        throw Error(sqlstate::internal_error, std::string("saved query failed: ") + SPI_result_code_string(code));
    if (SPI_processed > 0)
        append_columns(found);
    return SPI_processed;
}

} // namespace snapback
