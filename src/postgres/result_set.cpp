#include "postgres/result_set.hpp"

namespace snapback {

ResultSet::ResultSet(FunctionCallInfo fcinfo) : result_(reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo)) {
    call([&] { InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC); });
}

void ResultSet::add(std::initializer_list<Value> row) {
    std::vector<Datum> datums;
    std::vector<char> nulls; // laid out as the bool array that Postgres takes; vector<bool> is packed
    for (const Value &value : row) {
        datums.push_back(value.datum);
        nulls.push_back(value.null);
    }
    static_assert(sizeof(bool) == sizeof(char));
    if (datums.size() != static_cast<std::size_t>(result_->setDesc->natts))
        throw Error(sqlstate::internal_error, "a row does not fit the columns that its function declares");
    call([&] {
        tuplestore_putvalues(result_->setResult, result_->setDesc, datums.data(),
                             reinterpret_cast<bool *>(nulls.data()));
    });
}

} // namespace snapback
