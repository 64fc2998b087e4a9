#include "postgres/spi/tuple_store.hpp"

extern "C" {
#include "executor/tstoreReceiver.h"
}

namespace snapback {

namespace {

/// Create an empty tuplestore in this memory context.
std::shared_ptr<Tuplestorestate> begin_rows(MemoryContext home) {
    Tuplestorestate *rows = call([&] {
        MemoryContext before = MemoryContextSwitchTo(home);
        Tuplestorestate *begun = tuplestore_begin_heap(false, false, work_mem);
        MemoryContextSwitchTo(before);
        return begun;
    });
    return {rows, [exceptions = std::uncaught_exceptions()](Tuplestorestate *held) {
                // After an error, the (sub)transaction abort releases the file, and the memory context the rest.
                if (std::uncaught_exceptions() == exceptions)
                    call_noexcept([&] { tuplestore_end(held); });
            }};
}

} // namespace

TupleDesc one_column(const char *name, Oid type) {
    return call([&] {
        TupleDesc shape = CreateTemplateTupleDesc(1);
        TupleDescInitEntry(shape, 1, name, type, -1, 0);
        return shape;
    });
}

TupleStore::TupleStore(std::string name, TupleDesc shape)
    : name_(std::move(name)), home_(CurrentMemoryContext), shape_(call([&] { return CreateTupleDescCopy(shape); })),
      rows_(begin_rows(home_)) {}

void TupleStore::show_to(Query &query) {
    call([&] {
        relation_ = static_cast<EphemeralNamedRelation>(palloc0(sizeof(EphemeralNamedRelationData)));
        relation_->md.name = pstrdup(name_.c_str());
        relation_->md.tupdesc = shape_;
        relation_->md.enrtype = ENR_NAMED_TUPLESTORE;
        relation_->md.enrtuples = static_cast<double>(tuplestore_tuple_count(rows_.get()));
        relation_->reldata = rows_.get();
    });
    query.show(relation_);
    shown_to_ = &query;
}

void TupleStore::hide() {
    if (shown_to_)
        shown_to_->hide(name_);
    shown_to_ = nullptr;
}

void TupleStore::add(Datum *values, bool *nulls) {
    call([&] {
        CHECK_FOR_INTERRUPTS();
        tuplestore_putvalues(rows_.get(), shape_, values, nulls);
    });
}

std::uint64_t TupleStore::fill(Query &query, const std::string &sql, std::span<const Value> parameters) {
    std::shared_ptr<Tuplestorestate> fresh = begin_rows(home_);
    DestReceiver *receiver = call([&] {
        DestReceiver *made = CreateTuplestoreDestReceiver();
        SetTuplestoreDestReceiverParams(made, fresh.get(), home_, true, nullptr, nullptr);
        return made;
    });
    query.into(receiver, sql, parameters);
    hold(std::move(fresh));
    return size();
}

void TupleStore::share(const TupleStore &other) {
    hold(other.rows_);
}

void TupleStore::clear() {
    hold(begin_rows(home_));
}

/// Replace the current rows by these.
void TupleStore::hold(std::shared_ptr<Tuplestorestate> rows) {
    rows_ = std::move(rows);
    if (relation_)
        relation_->reldata = rows_.get();
    recount();
}

void TupleStore::recount() {
    if (relation_)
        relation_->md.enrtuples = static_cast<double>(size());
}

std::uint64_t TupleStore::size() const {
    return static_cast<std::uint64_t>(tuplestore_tuple_count(rows_.get()));
}

} // namespace snapback
