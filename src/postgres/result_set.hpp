#pragma once
// The rows that a set-returning SQL function hands back.
#include <initializer_list>

#include "postgres/value.hpp"

namespace snapback {

/// Collects the rows of the function being called; the caller reads them once the function has returned.
class ResultSet {
public:
    explicit ResultSet(FunctionCallInfo fcinfo);
    /// Add one row: a value per declared column, in order, of the declared types.
    void add(std::initializer_list<Value> row);

private:
    ReturnSetInfo *result_;
};

/// The one row that a function with OUT parameters hands back, of the types that it declares.
Datum result_row(FunctionCallInfo fcinfo, std::initializer_list<Value> row);

} // namespace snapback
