#pragma once
#include "catalog/relation_shape.hpp"
#include "core/chunk.hpp"
#include "core/sortable_key.hpp"

namespace snapback {

/// Converts values of one type to stored bytes.
class FieldEncoder {
public:
    FieldEncoder(Oid type, FieldForm form);
    /// Detoast a varlena value, or convert a value to text; a Postgres call, made inside `call`.
    Datum prepare(Datum datum) const;
    /// Whether `prepare` returns the value unchanged.
    bool is_prepared() const { return form_ != FieldForm::payload && form_ != FieldForm::text; }
    /// The stored bytes of a prepared value: a view into it, or into `scratch` for numbers.
    std::string_view bytes(Datum prepared, std::string &scratch) const;

private:
    FieldForm form_;
    mutable FmgrInfo output_{};
};

/// Encodes the rows of a query over one table: the stored row and its sortable key.
class RowEncoder {
public:
    /// `first` is the index of the table's first column in the slot, from 0.
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
