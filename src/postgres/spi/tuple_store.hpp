#pragma once
#include <memory>
#include <string>

#include "postgres/spi/query.hpp"

extern "C" {
#include "utils/tuplestore.h"
}

namespace snapback {

/// A row type with one column, in the current memory context.
TupleDesc one_column(const char *name, Oid type);

/// Rows in a tuplestore, which spills to a temporary file beyond work_mem. Queries refer to the rows by name, as
/// triggers do to transition tables. No catalog entry is created.
class TupleStore {
public:
    /// The rows live as long as the current memory context; `shape` is copied into it.
    TupleStore(std::string name, TupleDesc shape);
    TupleStore(const TupleStore &) = delete;
    TupleStore &operator=(const TupleStore &) = delete;

    /// Make the rows visible to this connection's queries by name.
    void show_to(Query &query);
    /// Remove the name from the connection that shows it, which must still be open.
    void hide();
    void add(Datum *values, bool *nulls);
    /// Replace the rows by the result of a query, which may read the old rows. Return the number of rows.
    std::uint64_t fill(Query &query, const std::string &sql, std::span<const Value> parameters = {});
    /// Share the rows of another store without copying. Afterwards neither store accepts additional rows; fill()
    /// remains possible.
    void share(const TupleStore &other);
    /// Remove all rows.
    void clear();
    /// Update the planner's row count.
    void recount();
    std::uint64_t size() const;
    const std::string &name() const { return name_; }
    TupleDesc shape() const { return shape_; }

private:
    void hold(std::shared_ptr<Tuplestorestate> rows);

    std::string name_;
    MemoryContext home_;
    TupleDesc shape_;
    std::shared_ptr<Tuplestorestate> rows_;
    EphemeralNamedRelation relation_ = nullptr;
    Query *shown_to_ = nullptr;
};

} // namespace snapback
