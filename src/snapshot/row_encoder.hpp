#pragma once
#include "catalog/relation_shape.hpp"
#include "core/chunk.hpp"
#include "core/sortable_key.hpp"

namespace snapback {

/// Turns values of one type into stored bytes.
class FieldEncoder {
public:
    FieldEncoder(Oid type, FieldForm form);
    /// Prepare a value: a Postgres call, made inside `call`. Varlenas come back detoasted, others in their text form.
    Datum prepare(Datum datum) const;
    /// Whether `prepare` does anything.
    bool is_prepared() const { return form_ != FieldForm::payload && form_ != FieldForm::text; }
    /// The stored bytes of a prepared value; views into it, or into `scratch` for numbers.
    std::string_view bytes(Datum prepared, std::string &scratch) const;

private:
    FieldForm form_;
    mutable FmgrInfo output_{};
};

/// The order in which a table's rows are captured: its key's columns, among the stored ones.
std::vector<KeyPart> key_order(const RelationShape &shape);

/// Encodes the rows that a query over one table returns: the stored row, and its key in sortable form.
class RowEncoder {
public:
    /// `first` is the slot's column (from 0) where the table's columns start.
    RowEncoder(const RelationShape &shape, int first);
    ~RowEncoder();
    RowEncoder(const RowEncoder &) = delete;
    RowEncoder &operator=(const RowEncoder &) = delete;
    void encode(TupleTableSlot *slot);
    std::string_view row() const { return row_.bytes(); }
    std::string_view key() const { return key_; }

private:
    int first_;
    MemoryContext row_memory_; // detoasted values and text forms of one row
    std::vector<FieldEncoder> fields_;
    std::vector<KeyPart> key_parts_;
    std::vector<Datum> prepared_;
    RowWriter row_;
    std::string key_;
    std::string scratch_;
};

} // namespace snapback
