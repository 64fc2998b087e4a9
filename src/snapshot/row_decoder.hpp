#pragma once
#include <memory>

#include "catalog/relation_shape.hpp"
#include "postgres/spi/tuple_store.hpp"
#include "postgres/spi/unchecked_input.hpp"
#include "snapshot/renamed_labels.hpp"

namespace snapback {

/// Converts stored rows to values of a live table's columns.
///
/// Columns are matched by their current names. A column that the snapshot lacks becomes NULL and is not `mapped`. A
/// column whose type has changed is converted through text. Decode as the table's owner, who may own input functions.
/// Domain constraints are not checked here: only written rows must satisfy them, not replaced ones. Throws Error
/// (SB009) for a row that the columns no longer accept.
class RowDecoder {
public:
    enum class Source { snapshot, live };
    /// `more` additional columns follow and are NULL; the caller computes them.
    RowDecoder(const Shape &stored, const RelationShape &live, std::size_t more = 0, Source source = Source::snapshot);
    ~RowDecoder();
    RowDecoder(const RowDecoder &) = delete;
    RowDecoder &operator=(const RowDecoder &) = delete;

    void decode(std::string_view row);
    Datum *values() { return values_.data(); }
    bool *nulls() { return nulls_.get(); }
    bool mapped(std::size_t column) const { return source_[column] >= 0; }
    /// Whether a row decoded so far has NULL in this column.
    bool has_met_null(std::size_t column) const { return met_null_[column]; }
    /// Whether the stored form equals that of the live table, so that equal bytes mean equal rows.
    bool stores_alike() const { return stores_alike_; }

private:
    struct Field {
        std::string name;
        FieldForm form;
        bool through_text;    // the type has changed
        FmgrInfo output;      // of the stored type, if converted through text
        UncheckedInput input; // of the live type
        RenamedLabels labels;
        std::string relabelled; // the current value
    };
    void map(std::size_t source, const std::string &name, const Shape &stored, const RelationShape &live);
    void refuse(Error fault);
    std::optional<Error> explain(const ErrorReport &error) const;
    void follow_labels(const LabelledColumn &column, std::int64_t seen);
    void relabel();
    Datum value(Field &field, const char *bytes, std::size_t size);

    Source from_;
    std::string table_;
    std::optional<Error> fault_; // why no row can be decoded
    bool stores_alike_;
    std::size_t stored_columns_;
    MemoryContext row_memory_;
    std::vector<int> source_; // per live column: the stored column, or -1
    std::vector<Field> fields_;
    std::vector<std::optional<std::string_view>> stored_;
    std::vector<std::string_view> given_; // per live column: its bytes of the row
    std::size_t at_ = 0;                  // the live column being decoded
    std::vector<bool> met_null_;          // per live column
    std::vector<Datum> values_;
    std::unique_ptr<bool[]> nulls_;
};

/// Decode a chunk's rows into a store, as the table's owner.
void decode_chunk(std::string_view content, RowDecoder &decoder, Oid owner, TupleStore &store);

/// Decode one row into a store, as the table's owner.
void decode_row(std::string_view row, RowDecoder &decoder, Oid owner, TupleStore &store);

/// The row type of a live table's columns, without generated ones, allocated in the current memory context.
TupleDesc row_type(const RelationShape &live);

} // namespace snapback
