#pragma once
// Result rows of a set-returning SQL function.
#include <initializer_list>

#include "postgres/spi/value.hpp"

namespace snapback {

/// Collects the result rows of the current function.
class ResultSet {
public:
    explicit ResultSet(FunctionCallInfo fcinfo);
    /// Add one row: one value per declared column, with the declared types.
    void add(std::initializer_list<Value> row);
    /// A value of the type that a column is declared with, counted from one.
    Value from_text(const std::string &text, int column) const;

private:
    ReturnSetInfo *result_;
};

/// The result row of a function with OUT parameters, with the declared types.
Datum result_row(FunctionCallInfo fcinfo, std::initializer_list<Value> row);

} // namespace snapback
