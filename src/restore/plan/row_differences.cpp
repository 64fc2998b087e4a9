#include "restore/plan/row_differences.hpp"

#include <algorithm>
#include <limits>

#include "postgres/exec/as_owner.hpp"
#include "postgres/spi/row_as_json.hpp"
#include "snapshot/row_decoder.hpp"

extern "C" {
#include "utils/datum.h"
#include "utils/typcache.h"
}

namespace snapback {

namespace {

constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

std::vector<RowAsJson::Column> all_columns(const RelationShape &live) {
    std::vector<RowAsJson::Column> columns;
    for (const LiveColumn &column : live.columns)
        columns.push_back({column.name, column.type});
    return columns;
}

/// The columns of a row that was passed as one value.
class RowValue {
public:
    explicit RowValue(TupleDesc shape)
        : shape_(shape), values_(static_cast<std::size_t>(shape->natts)),
          nulls_(std::make_unique<bool[]>(values_.size())) {}

    void read(Datum row) {
        call([&] {
            HeapTupleHeader header = DatumGetHeapTupleHeader(row);
            HeapTupleData tuple{};
            tuple.t_len = HeapTupleHeaderGetDatumLength(header);
            tuple.t_data = header;
            heap_deform_tuple(&tuple, shape_, values_.data(), nulls_.get());
        });
    }
    const Datum *values() const { return values_.data(); }
    const bool *nulls() const { return nulls_.get(); }

    /// Whether a column differs in any byte from that of another row.
    bool differs(const RowValue &other, std::size_t i) const {
        if (nulls_[i] || other.nulls_[i])
            return nulls_[i] != other.nulls_[i];
        Form_pg_attribute column = TupleDescAttr(shape_, i);
        return !call([&] { return datum_image_eq(values_[i], other.values_[i], column->attbyval, column->attlen); });
    }

private:
    TupleDesc shape_;
    std::vector<Datum> values_;
    std::unique_ptr<bool[]> nulls_;
};

/// Sorts the differences of one kind by key. It sorts the shown values, in which long values are shortened: sorting the
/// rows would copy each value in one uninterruptible step.
class SortedByKey {
public:
    SortedByKey(Query &query, const RelationShape &live)
        : query_(query), key_(sortable_columns(live)), values_(key_.size() + 3),
          nulls_(std::make_unique<bool[]>(values_.size())), rows_("shown_differences", shape_of(live)) {
        rows_.show_to(query);
    }
    /// Add a difference of the row with these columns.
    void add(const Datum *values, const bool *nulls, const RowDifference &row) {
        std::size_t next = 0;
        for (std::size_t column : key_)
            set(next++, values[column], nulls[column]);
        for (const Value *shown : {&row.key, &row.before, &row.after})
            set(next++, shown->datum, shown->null);
        rows_.add(values_.data(), nulls_.get());
    }

    /// Return the differences in order and remove them.
    void show(const std::string &action, const std::function<void(const RowDifference &)> &visit) {
        if (rows_.size() == 0)
            return;
        rows_.recount();
        std::string order;
        for (std::size_t i = 0; i < key_.size(); i++)
            order += (i ? ", " : " ORDER BY ") + column_name(i);
        query_.stream(
            "SELECT row_key, row_before, row_after FROM shown_differences" + order, {}, [&](TupleTableSlot *slot) {
                call([&] { slot_getallattrs(slot); });
                auto shown = [slot](int i) { return Value{JSONBOID, slot->tts_values[i], slot->tts_isnull[i]}; };
                visit({shown(0), action, shown(1), shown(2)});
            });
        rows_.clear();
    }

    /// Unregister the store from the connection.
    void hide() { rows_.hide(); }

private:
    static std::string column_name(std::size_t i) { return "key_" + std::to_string(i); }

    /// The columns of the key whose types have an ordering operator.
    static std::vector<std::size_t> sortable_columns(const RelationShape &live) {
        std::vector<std::size_t> columns;
        for (const KeyColumn &part : live.key)
            if (call([&] {
                    return OidIsValid(lookup_type_cache(live.columns[part.column].type, TYPECACHE_LT_OPR)->lt_opr);
                }))
                columns.push_back(part.column);
        return columns;
    }

    TupleDesc shape_of(const RelationShape &live) const {
        TupleDesc shape = call([&] { return CreateTemplateTupleDesc(static_cast<int>(values_.size())); });
        AttrNumber next = 0;
        for (std::size_t column : key_) {
            const LiveColumn &from = live.columns[column];
            std::string name = column_name(static_cast<std::size_t>(next));
            call([&] {
                TupleDescInitEntry(shape, ++next, name.c_str(), from.type, from.type_modifier, 0);
                TupleDescInitEntryCollation(shape, next, from.collation);
            });
        }
        for (const char *name : {"row_key", "row_before", "row_after"})
            call([&] { TupleDescInitEntry(shape, ++next, name, JSONBOID, -1, 0); });
        return shape;
    }

    void set(std::size_t i, Datum value, bool null) {
        values_[i] = value;
        nulls_[i] = null;
    }

    Query &query_;
    std::vector<std::size_t> key_;
    std::vector<Datum> values_;
    std::unique_ptr<bool[]> nulls_;
    TupleStore rows_;
};

/// Returns the rows of one table's plan, store by store.
class Differences {
public:
    Differences(Query &query, const TablePlan &plan, const std::function<void(const RowDifference &)> &visit)
        : query_(query), plan_(plan), visit_(visit), key_(all_columns(plan.live), no_limit),
          row_(all_columns(plan.live)), sorted_(query, plan.live) {
        for (const KeyColumn &part : plan.live.key)
            in_key_.push_back(part.column);
    }

    void run() {
        AsOwner owner(plan_.live.owner);
        whole_rows("remove", "delete", true);
        whole_rows("insert", "insert", false);
        whole_rows("kept", "keep", true);
        whole_rows("skipped", "skip", false);
        updates();
        sorted_.hide();
    }

private:
    Value key_of(const Datum *values, const bool *nulls) {
        return key_.of(values, nulls,
                       [this](std::size_t i) { return std::find(in_key_.begin(), in_key_.end(), i) != in_key_.end(); });
    }

    /// Rows of one store that all belong to one side: as they are, or as they will be.
    void whole_rows(const char *kind, const std::string &action, bool as_they_are) {
        query_.stream("SELECT " + plan_.plain_columns("s") + " FROM " + plan_.see(kind) + " s", {},
                      [&](TupleTableSlot *slot) {
                          call([&] { slot_getallattrs(slot); });
                          const Datum *values = slot->tts_values;
                          Value row = row_.of(values, slot->tts_isnull);
                          Value none{JSONBOID, 0, true};
                          add(values, slot->tts_isnull, as_they_are ? row : none, as_they_are ? none : row);
                      });
        sorted_.show(action, visit_);
    }

    void updates() {
        TupleDesc shape = row_type(plan_.live);
        RowValue now(shape);
        RowValue then(shape);
        query_.stream("SELECT ROW(" + plan_.plain_columns("p") + "), ROW(" + plan_.plain_columns("s") + ") FROM " +
                          plan_.all_of({"update", "reinsert"}) + " s JOIN " + plan_.see("present") + " p ON " +
                          plan_.same_key("p", "s"),
                      {}, [&](TupleTableSlot *slot) {
                          call([&] { slot_getallattrs(slot); });
                          now.read(slot->tts_values[0]);
                          then.read(slot->tts_values[1]);
                          auto differs = [&](std::size_t i) { return now.differs(then, i); };
                          add(then.values(), then.nulls(), row_.of(now.values(), now.nulls(), differs),
                              row_.of(then.values(), then.nulls(), differs));
                      });
        sorted_.show("update", visit_);
    }

    void add(const Datum *values, const bool *nulls, const Value &before, const Value &after) {
        sorted_.add(values, nulls, {key_of(values, nulls), "", before, after});
        key_.forget();
        row_.forget();
    }

    Query &query_;
    const TablePlan &plan_;
    const std::function<void(const RowDifference &)> &visit_;
    RowAsJson key_;
    RowAsJson row_;
    SortedByKey sorted_;
    std::vector<std::size_t> in_key_;
};

} // namespace

void for_each_difference(Query &query, const TablePlan &plan, const std::function<void(const RowDifference &)> &visit) {
    Differences(query, plan, visit).run();
}

} // namespace snapback
