#include "postgres/spi/result_set.hpp"

namespace snapback {

ResultSet::ResultSet(FunctionCallInfo fcinfo) : result_(reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo)) {
    call([&] { InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC); });
}

namespace {

/// The values of a row as PostgreSQL expects them.
struct Columns {
    Columns(std::initializer_list<Value> row, TupleDesc shape) {
        for (const Value &value : row) {
            datums.push_back(value.datum);
            null_bytes.push_back(value.null);
        }
        if (datums.size() != static_cast<std::size_t>(shape->natts))
            throw Error(sqlstate::internal_error, "row does not match the declared columns of its function");
    }
    bool *nulls() { return reinterpret_cast<bool *>(null_bytes.data()); }

    std::vector<Datum> datums;
    std::vector<char> null_bytes; // layout of bool[]; vector<bool> is packed
    static_assert(sizeof(bool) == sizeof(char));
};

} // namespace

void ResultSet::add(std::initializer_list<Value> row) {
    Columns columns(row, result_->setDesc);
    call([&] { tuplestore_putvalues(result_->setResult, result_->setDesc, columns.datums.data(), columns.nulls()); });
}

Value ResultSet::from_text(const std::string &text, int column) const {
    return Value::from_text(text, TupleDescAttr(result_->setDesc, column - 1)->atttypid);
}

Datum result_row(FunctionCallInfo fcinfo, std::initializer_list<Value> row) {
    TupleDesc shape = call([&] {
        TupleDesc found = nullptr;
        get_call_result_type(fcinfo, nullptr, &found);
        return BlessTupleDesc(found);
    });
    Columns columns(row, shape);
    return call([&] { return HeapTupleGetDatum(heap_form_tuple(shape, columns.datums.data(), columns.nulls())); });
}

} // namespace snapback
