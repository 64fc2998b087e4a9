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

/// A row that came as one value, taken apart.
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

    /// Whether a column differs from that of another row in some byte.
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

/// Shows the rows of one table's plan, store by store.
class Differences {
public:
    Differences(Query &query, const TablePlan &plan, const std::function<void(const RowDifference &)> &visit)
        : query_(query), plan_(plan), visit_(visit), key_(all_columns(plan.live), no_limit),
          row_(all_columns(plan.live)), key_order_(key_order("s")) {
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
    }

private:
    /// " ORDER BY s.id": the key's columns, as far as their types have an spec.
    std::string key_order(const std::string &alias) const {
        std::string list;
        for (const KeyColumn &part : plan_.live.key) {
            const LiveColumn &column = plan_.live.columns[part.column];
            if (call([&] { return OidIsValid(lookup_type_cache(column.type, TYPECACHE_LT_OPR)->lt_opr); }))
                list += (list.empty() ? " ORDER BY " : ", ") + alias + "." + quote_name(column.name);
        }
        return list;
    }

    Value key_of(const Datum *values, const bool *nulls) {
        return key_.of(values, nulls,
                       [this](std::size_t i) { return std::find(in_key_.begin(), in_key_.end(), i) != in_key_.end(); });
    }

    /// Rows of one store, which are all one side: as they are, or as they will be.
    void whole_rows(const char *kind, const std::string &action, bool as_they_are) {
        query_.stream("SELECT " + plan_.plain_columns("s") + " FROM " + plan_.see(kind) + " s" + key_order_, {},
                      [&](TupleTableSlot *slot) {
                          call([&] { slot_getallattrs(slot); });
                          Value row = row_.of(slot->tts_values, slot->tts_isnull);
                          Value none{JSONBOID, 0, true};
                          visit_({key_of(slot->tts_values, slot->tts_isnull), action, as_they_are ? row : none,
                                  as_they_are ? none : row});
                          forget();
                      });
    }

    void updates() {
        TupleDesc shape = row_type(plan_.live);
        RowValue now(shape);
        RowValue then(shape);
        query_.stream("SELECT ROW(" + plan_.plain_columns("p") + "), ROW(" + plan_.plain_columns("s") + ") FROM " +
                          plan_.all_of({"update", "reinsert"}) + " s JOIN " + plan_.see("present") + " p ON " +
                          plan_.same_key("p", "s") + key_order_,
                      {}, [&](TupleTableSlot *slot) {
                          call([&] { slot_getallattrs(slot); });
                          now.read(slot->tts_values[0]);
                          then.read(slot->tts_values[1]);
                          auto differs = [&](std::size_t i) { return now.differs(then, i); };
                          visit_({key_of(then.values(), then.nulls()), "update",
                                  row_.of(now.values(), now.nulls(), differs),
                                  row_.of(then.values(), then.nulls(), differs)});
                          forget();
                      });
    }

    void forget() {
        key_.forget();
        row_.forget();
    }

    Query &query_;
    const TablePlan &plan_;
    const std::function<void(const RowDifference &)> &visit_;
    RowAsJson key_;
    RowAsJson row_;
    std::string key_order_;
    std::vector<std::size_t> in_key_;
};

} // namespace

void for_each_difference(Query &query, const TablePlan &plan, const std::function<void(const RowDifference &)> &visit) {
    Differences(query, plan, visit).run();
}

} // namespace snapback
