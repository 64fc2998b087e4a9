#pragma once
// SQL from C++: a connection to SPI, its results as C++ values, and row streams.
#include <functional>
#include <initializer_list>
#include <map>

#include "postgres/value.hpp"

extern "C" {
#include "utils/queryenvironment.h"
}

namespace snapback {

/// One row of a small result. Columns count from 1; reading a NULL through a plain getter is an internal error.
class Row {
public:
    Row(HeapTuple tuple, TupleDesc shape) : tuple_(tuple), shape_(shape) {}
    bool is_null(int column) const;
    std::string text(int column) const; // any type, in its text form
    std::optional<std::string> optional_text(int column) const;
    std::int64_t bigint(int column) const;
    std::int32_t integer(int column) const;
    bool boolean(int column) const;
    Oid oid(int column) const;
    TimestampTz timestamptz(int column) const;
    std::string bytes(int column) const; // bytea
    std::vector<std::string> text_array(int column) const;
    Datum datum(int column, bool *null) const;
    Value value(int column) const; // as it is, NULL or not

private:
    HeapTuple tuple_;
    TupleDesc shape_;
};

/// The rows of a query that were fetched whole: for small results. Freed with its query connection.
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

/// Receives the rows of a streamed query, one slot at a time; the slot is valid during the call only,
/// and its columns are not yet taken apart (slot_getallattrs).
using SlotVisitor = std::function<void(TupleTableSlot *)>;

/// A connection to SPI, for as long as it is in scope. Leaves clean-up to the (sub)transaction when unwinding.
class Query {
public:
    Query();
    ~Query();
    Query(const Query &) = delete;
    Query &operator=(const Query &) = delete;

    /// Run one statement; return its rows. A write sees and is seen as usual: a new snapshot per statement.
    Rows run(const std::string &sql, std::initializer_list<Value> parameters = {});
    Rows run(const std::string &sql, std::span<const Value> parameters);
    /// Run a statement whose text is always the same, such as a question to the catalogs: a session plans it once.
    Rows run_kept(const char *sql, std::initializer_list<Value> parameters);
    /// Run a statement under the active snapshot (no new one is taken) and hand each row to the visitor.
    void stream(const std::string &sql, std::span<const Value> parameters, const SlotVisitor &visit);
    /// Run a writing statement with RETURNING, and hand each row that it returns to the visitor as it is written.
    void write(const std::string &sql, const SlotVisitor &visit);
    /// Run a statement under a new snapshot with its rows going to a receiver made by Postgres; return how many.
    std::uint64_t into(DestReceiver *receiver, const std::string &sql, std::span<const Value> parameters);
    /// Number of rows that the last `run` or `write` processed.
    std::uint64_t affected() const { return affected_; }

    /// Let statements of this connection, but for kept ones, see rows in memory under a name: a lower-case identifier.
    void show(EphemeralNamedRelation rows);
    /// Take the name back.
    void hide(const std::string &name);

private:
    void make_visible(const std::string &sql);
    void make_invisible(const std::string &name);

    std::uint64_t affected_ = 0;
    std::map<std::string, EphemeralNamedRelation, std::less<>> shown_;
    std::vector<std::string> visible_; // of the shown ones, those that Postgres has been told of
    int exceptions_;
};

/// Plan a statement so that the plan lives until it is freed. options: SPI's for cursors. Needs an open Query.
SPIPlanPtr keep_plan(const std::string &sql, std::span<const Oid> parameter_types, int options);

/// Quote an identifier or a literal for use inside a statement.
std::string quote_name(std::string_view name);
std::string quote_text(std::string_view text);
/// The relation's schema-qualified, quoted name.
std::string qualified_name(Oid relation);

} // namespace snapback
