#include "postgres/spi/query.hpp"

#include <algorithm>
#include <unordered_map>

extern "C" {
#include "tcop/dest.h"
#include "utils/array.h"
}

namespace snapback {

namespace {

/// Throw an error for an SPI return code. Such errors are bugs of the extension.
void require_success(int code, const std::string &sql) {
    if (code < 0)
        throw Error(sqlstate::internal_error,
                    std::string("query failed: ") + SPI_result_code_string(code) + " in: " + sql);
}

/// Parameter values as the parallel arrays that SPI expects.
struct Parameters {
    explicit Parameters(std::span<const Value> values) {
        for (const Value &value : values) {
            types.push_back(value.type);
            datums.push_back(value.datum);
            nulls.push_back(value.null ? 'n' : ' ');
        }
    }
    int count() const { return static_cast<int>(types.size()); }
    std::vector<Oid> types;
    std::vector<Datum> datums;
    std::vector<char> nulls;
};

/// A DestReceiver that passes each slot to a C++ visitor. An exception of the visitor becomes an ERROR.
struct VisitingReceiver {
    explicit VisitingReceiver(const SlotVisitor &visitor);
    DestReceiver base;
    const SlotVisitor *visit;
};

bool receive_slot(TupleTableSlot *slot, DestReceiver *self) {
    return entry([&] {
        (*reinterpret_cast<VisitingReceiver *>(self)->visit)(slot);
        return true;
    });
}
void start_receiving(DestReceiver *, int, TupleDesc) {}
void stop_receiving(DestReceiver *) {}

VisitingReceiver::VisitingReceiver(const SlotVisitor &visitor)
    : base{receive_slot, start_receiving, stop_receiving, stop_receiving, DestNone}, visit(&visitor) {}

/// Execute a statement into a receiver, like SPI_execute_with_args into memory.
void execute_into(DestReceiver *receiver, const std::string &sql, const Parameters &parameters, bool read_only) {
    int code = call([&] {
        ParamListInfo list = makeParamList(parameters.count());
        for (int i = 0; i < parameters.count(); i++) {
            list->params[i].value = parameters.datums[i];
            list->params[i].isnull = parameters.nulls[i] == 'n';
            list->params[i].pflags = PARAM_FLAG_CONST;
            list->params[i].ptype = parameters.types[i];
        }
        SPIExecuteOptions options{};
        options.params = list;
        options.read_only = read_only;
        options.dest = receiver;
        return SPI_execute_extended(sql.c_str(), &options);
    });
    require_success(code, sql);
}

/// The plan of a statement, kept for the session. PostgreSQL replans it after relevant changes.
SPIPlanPtr kept_plan(const char *sql, const Parameters &parameters) {
    static std::unordered_map<std::string_view, SPIPlanPtr> plans;
    if (auto kept = plans.find(sql); kept != plans.end())
        return kept->second;
    return plans.emplace(sql, keep_plan(sql, parameters.types, CURSOR_OPT_GENERIC_PLAN)).first->second;
}

bool may_begin_name(char c) {
    return (c >= 'a' && c <= 'z') || c == '_';
}
bool may_be_in_name(char c) {
    return may_begin_name(c) || (c >= '0' && c <= '9');
}

/// Call the visitor for each lower-case identifier in a statement, including parts of literals and quoted names.
template <class Visit> void for_each_name(std::string_view sql, const Visit &visit) {
    for (std::size_t i = 0; i < sql.size();) {
        std::size_t begin = i;
        while (i < sql.size() && may_be_in_name(sql[i]))
            i++;
        if (i > begin && may_begin_name(sql[begin]))
            visit(sql.substr(begin, i - begin));
        if (i == begin)
            i++;
    }
}

} // namespace

SPIPlanPtr keep_plan(const std::string &sql, std::span<const Oid> types, int options) {
    SPIPlanPtr plan = call([&] {
        SPIPlanPtr made =
            SPI_prepare_cursor(sql.c_str(), static_cast<int>(types.size()), const_cast<Oid *>(types.data()), options);
        if (made)
            SPI_keepplan(made);
        return made;
    });
    if (!plan)
        throw Error(sqlstate::internal_error, "query could not be planned: " + sql);
    return plan;
}

Query::Query() : exceptions_(std::uncaught_exceptions()) {
    require_success(call([] { return SPI_connect(); }), "connect");
}

Query::~Query() {
    // After an error, the connection may be in any state; the (sub)transaction abort cleans it up.
    if (std::uncaught_exceptions() == exceptions_)
        call_noexcept([] { SPI_finish(); });
}

void Query::show(EphemeralNamedRelation rows) {
    make_invisible(rows->md.name);
    shown_.insert_or_assign(rows->md.name, rows);
}

void Query::hide(const std::string &name) {
    make_invisible(name);
    shown_.erase(name);
}

/// Register only the relations that a statement names. PostgreSQL searches the list of registered relations for every
/// name, and a restore shows a dozen per table.
void Query::make_visible(const std::string &sql) {
    std::vector<EphemeralNamedRelation> named;
    for_each_name(sql, [&](std::string_view name) {
        if (auto shown = shown_.find(name); shown != shown_.end())
            named.push_back(shown->second);
    });
    auto is_named = [&](const std::string &name) {
        return std::ranges::any_of(named, [&](EphemeralNamedRelation rows) { return name == rows->md.name; });
    };
    for (const std::string &name : std::vector(visible_))
        if (!is_named(name))
            make_invisible(name);
    for (EphemeralNamedRelation rows : named) {
        if (std::ranges::find(visible_, rows->md.name) != visible_.end())
            continue;
        require_success(call([&] { return SPI_register_relation(rows); }), sql);
        visible_.emplace_back(rows->md.name);
    }
}

void Query::make_invisible(const std::string &name) {
    if (std::erase(visible_, name) > 0)
        call([&] { SPI_unregister_relation(name.c_str()); });
}

Rows Query::run(const std::string &sql, std::initializer_list<Value> parameters) {
    return run(sql, std::span<const Value>(parameters.begin(), parameters.size()));
}

Rows Query::run(const std::string &sql, std::span<const Value> values) {
    make_visible(sql);
    Parameters parameters(values);
    int code = call([&] {
        return SPI_execute_with_args(sql.c_str(), parameters.count(), parameters.types.data(), parameters.datums.data(),
                                     parameters.nulls.data(), false, 0);
    });
    require_success(code, sql);
    affected_ = SPI_processed;
    return Rows(SPI_tuptable, SPI_tuptable ? SPI_processed : 0);
}

Rows Query::run_kept(const char *sql, std::initializer_list<Value> values) {
    Parameters parameters(std::span<const Value>(values.begin(), values.size()));
    SPIPlanPtr plan = kept_plan(sql, parameters);
    int code =
        call([&] { return SPI_execute_plan(plan, parameters.datums.data(), parameters.nulls.data(), false, 0); });
    require_success(code, sql);
    affected_ = SPI_processed;
    return Rows(SPI_tuptable, SPI_tuptable ? SPI_processed : 0);
}

void Query::stream(const std::string &sql, std::span<const Value> values, const SlotVisitor &visit) {
    make_visible(sql);
    Parameters parameters(values);
    VisitingReceiver receiver(visit);
    execute_into(&receiver.base, sql, parameters, true);
}

void Query::write(const std::string &sql, const SlotVisitor &visit) {
    make_visible(sql);
    VisitingReceiver receiver(visit);
    execute_into(&receiver.base, sql, Parameters({}), false);
    affected_ = SPI_processed;
}

std::uint64_t Query::into(DestReceiver *receiver, const std::string &sql, std::span<const Value> values) {
    make_visible(sql);
    execute_into(receiver, sql, Parameters(values), false);
    return affected_ = SPI_processed;
}

Datum Row::datum(int column, bool *null) const {
    return call([&] { return SPI_getbinval(tuple_, shape_, column, null); });
}

Value Row::value(int column) const {
    Value value{SPI_gettypeid(shape_, column), 0, true};
    value.datum = datum(column, &value.null);
    return value;
}

bool Row::is_null(int column) const {
    bool null;
    datum(column, &null);
    return null;
}

namespace {
/// Read a column that must not be NULL.
Datum required(const Row &row, int column) {
    bool null;
    Datum datum = row.datum(column, &null);
    if (null)
        throw Error(sqlstate::internal_error, "unexpected NULL in column " + std::to_string(column) + " of a query");
    return datum;
}
} // namespace

std::string Row::text(int column) const {
    Datum datum = required(*this, column);
    Oid type = SPI_gettypeid(shape_, column);
    return type == TEXTOID ? string_from_varlena(datum) : text_from_datum(datum, type);
}

std::optional<std::string> Row::optional_text(int column) const {
    if (is_null(column))
        return std::nullopt;
    return text(column);
}

std::int64_t Row::bigint(int column) const {
    return DatumGetInt64(required(*this, column));
}
std::int32_t Row::integer(int column) const {
    return DatumGetInt32(required(*this, column));
}
bool Row::boolean(int column) const {
    return DatumGetBool(required(*this, column));
}
Oid Row::oid(int column) const {
    return DatumGetObjectId(required(*this, column));
}
TimestampTz Row::timestamptz(int column) const {
    return DatumGetTimestampTz(required(*this, column));
}
std::string Row::bytes(int column) const {
    return string_from_varlena(required(*this, column));
}

std::vector<std::string> Row::text_array(int column) const {
    Datum datum = required(*this, column);
    Oid element = get_element_type(SPI_gettypeid(shape_, column));
    Datum *items = nullptr;
    bool *nulls = nullptr;
    int count = 0;
    call([&] {
        int16 length;
        bool by_value;
        char align;
        get_typlenbyvalalign(element, &length, &by_value, &align);
        deconstruct_array(DatumGetArrayTypeP(datum), element, length, by_value, align, &items, &nulls, &count);
    });
    std::vector<std::string> result;
    for (int i = 0; i < count; i++)
        result.push_back(nulls[i] ? std::string() : text_from_datum(items[i], element));
    return result;
}

std::string quote_name(std::string_view name) {
    std::string terminated(name);
    return call([&] { return quote_identifier(terminated.c_str()); });
}

std::string quote_text(std::string_view text) {
    std::string terminated(text);
    return call([&] { return quote_literal_cstr(terminated.c_str()); });
}

std::string qualified_name(Oid relation) {
    const char *name = call([&]() -> const char * {
        const char *relname = get_rel_name(relation);
        if (!relname)
            return nullptr;
        return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), relname);
    });
    if (!name)
        throw Error(sqlstate::undefined_object, "relation with OID " + std::to_string(relation) + " does not exist")
            .with_hint("It was dropped after registration; see the view snapback.protection.");
    return name;
}

} // namespace snapback
