#pragma once
// SQL from C++: an SPI connection, its results as C++ values, and streamed rows.
#include <functional>
#include <initializer_list>
#include <map>

#include "postgres/spi/value.hpp"

extern "C" {
#include "utils/queryenvironment.h"
}

namespace snapback {

/// One row of a small result. Columns count from 1. Reading NULL with a typed getter is an internal error.
class Row {
public:
    Row(HeapTuple tuple, TupleDesc shape) : tuple_(tuple), shape_(shape) {}
    bool is_null(int column) const;
    std::string text(int column) const; // text form of any type
    std::optional<std::string> optional_text(int column) const;
    std::int64_t bigint(int column) const;
    std::int32_t integer(int column) const;
    bool boolean(int column) const;
    Oid oid(int column) const;
    TimestampTz timestamptz(int column) const;
    std::string bytes(int column) const; // of a bytea
    std::vector<std::string> text_array(int column) const;
    Datum datum(int column, bool *null) const;
    Value value(int column) const; // possibly NULL

private:
    HeapTuple tuple_;
    TupleDesc shape_;
};

/// The complete result of a query; for small results. Freed with its connection.
class Rows {
public:
    explicit Rows(SPITupleTable *table, std::uint64_t count) : table_(table), count_(count) {}
    std::uint64_t size() const { return count_; }
    bool empty() const { return count_ == 0; }
    Row operator[](std::uint64_t i) const { return Row(table_->vals[i], table_->tupdesc); }
    class iterator {
    public:
        iterator(const Rows &rows, std::uint64_t at) : rows_(rows), at_(at) {}
        Row operator*() const { return rows_[at_]; }
        iterator &operator++() {
            ++at_;
            return *this;
        }
        bool operator!=(const iterator &other) const { return at_ != other.at_; }

    private:
        const Rows &rows_;
        std::uint64_t at_;
    };
    iterator begin() const { return {*this, 0}; }
    iterator end() const { return {*this, count_}; }

private:
    SPITupleTable *table_;
    std::uint64_t count_;
};

/// Receives the rows of a streamed query, one slot at a time. The slot is valid during the call only, and its columns
/// are not deformed yet (slot_getallattrs).
using SlotVisitor = std::function<void(TupleTableSlot *)>;

/// An SPI connection while in scope. During unwinding, the (sub)transaction abort cleans it up.
class Query {
public:
    Query();
    ~Query();
    Query(const Query &) = delete;
    Query &operator=(const Query &) = delete;

    /// Run one statement and return its rows. Each statement takes a new snapshot.
    Rows run(const std::string &sql, std::initializer_list<Value> parameters = {});
    Rows run(const std::string &sql, std::span<const Value> parameters);
    /// Run a statement with constant text, such as a catalog query. The session keeps its plan.
    Rows run_kept(const char *sql, std::initializer_list<Value> parameters);
    /// Run a statement with the active snapshot and pass each row to the visitor.
    void stream(const std::string &sql, std::span<const Value> parameters, const SlotVisitor &visit);
    /// Run a data-modifying statement with RETURNING, and pass each returned row to the visitor.
    void write(const std::string &sql, const SlotVisitor &visit);
    /// Run a statement with a new snapshot into a PostgreSQL receiver. Return the number of rows.
    std::uint64_t into(DestReceiver *receiver, const std::string &sql, std::span<const Value> parameters);
    /// Number of rows processed by the last `run` or `write`.
    std::uint64_t affected() const { return affected_; }

    /// Make in-memory rows visible by name (a lower-case identifier) to this connection's statements, except kept ones.
    void show(EphemeralNamedRelation rows);
    /// Remove the name.
    void hide(const std::string &name);

private:
    void make_visible(const std::string &sql);
    void make_invisible(const std::string &name);

    std::uint64_t affected_ = 0;
    std::map<std::string, EphemeralNamedRelation, std::less<>> shown_;
    std::vector<std::string> visible_; // shown relations that are registered with SPI
    int exceptions_;
};

/// Prepare a statement whose plan lives until freed. `options`: cursor options of SPI. Needs an open Query.
SPIPlanPtr keep_plan(const std::string &sql, std::span<const Oid> parameter_types, int options);

/// Quote an identifier or a literal for use inside a statement.
std::string quote_name(std::string_view name);
std::string quote_text(std::string_view text);
/// The schema-qualified, quoted name of a relation.
std::string qualified_name(Oid relation);

} // namespace snapback
