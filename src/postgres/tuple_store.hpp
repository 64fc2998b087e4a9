#pragma once
#include <memory>
#include <string>

#include "postgres/query.hpp"

extern "C" {
#include "utils/tuplestore.h"
}

namespace snapback {

/// The row type of a single column, in the current memory context.
TupleDesc one_column(const char *name, Oid type);

/// Rows kept beside the tables, in memory or, beyond work_mem, in a temporary file; queries see them under a name of
/// their own, as triggers see transition tables. No catalog entry is made for them.
class TupleStore {
public:
    /// The store and its rows live as long as the current memory context; `shape` is copied into it.
    TupleStore(std::string name, TupleDesc shape);
    TupleStore(const TupleStore &) = delete;
    TupleStore &operator=(const TupleStore &) = delete;

    /// Let this connection's queries see the rows under the store's name.
    void show_to(Query &query);
    /// Take the name back, if any connection has been shown it; that connection must be open still.
    void hide();
    void add(Datum *values, bool *nulls);
    /// Replace the rows by a query's, which may read the store itself; return how many there are now.
    std::uint64_t fill(Query &query, const std::string &sql, std::span<const Value> parameters = {});
    /// Hold the rows that another store holds, without a copy; nothing may be added to either after that, only filled.
    void share(const TupleStore &other);
    /// Let go of the rows.
    void clear();
    /// Tell the planner how many rows have been added.
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
