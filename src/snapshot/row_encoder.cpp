#include "snapshot/row_encoder.hpp"

namespace snapback {

FieldEncoder::FieldEncoder(Oid type, FieldForm form) : form_(form) {
    if (form == FieldForm::text)
        call([&] {
            Oid output;
            bool is_varlena;
            getTypeOutputInfo(type, &output, &is_varlena);
            fmgr_info(output, &output_);
        });
}

Datum FieldEncoder::prepare(Datum datum) const {
    if (form_ == FieldForm::payload)
        return PointerGetDatum(in_one_piece(datum));
    if (form_ == FieldForm::text)
        return CStringGetDatum(OutputFunctionCall(&output_, datum));
    return datum;
}

std::string_view FieldEncoder::bytes(Datum prepared, std::string &scratch) const {
    if (form_ == FieldForm::payload) {
        auto *value = reinterpret_cast<varlena *>(DatumGetPointer(prepared));
        return {VARDATA_ANY(value), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(value))};
    }
    if (form_ == FieldForm::text)
        return DatumGetCString(prepared);
    if (form_ == FieldForm::fixed16)
        return {DatumGetPointer(prepared), 16};
    scratch.clear();
    append_little_endian(scratch, prepared, static_cast<int>(word_width(form_)));
    return scratch;
}

RowEncoder::RowEncoder(const RelationShape &shape, int first)
    : first_(first),
      row_memory_(
          call([] { return AllocSetContextCreate(CurrentMemoryContext, "snapback row", ALLOCSET_DEFAULT_SIZES); })),
      key_parts_(key_order(shape.stored)), prepared_(shape.columns.size()) {
    for (const LiveColumn &column : shape.columns)
        fields_.emplace_back(column.type, column.form);
}

RowEncoder::~RowEncoder() {
    MemoryContextDelete(row_memory_);
}

void RowEncoder::encode(TupleTableSlot *slot) {
    call([&] {
        MemoryContextReset(row_memory_);
        MemoryContext before = MemoryContextSwitchTo(row_memory_);
        slot_getallattrs(slot);
        for (std::size_t i = 0; i < fields_.size(); i++)
            if (!slot->tts_isnull[first_ + i])
                prepared_[i] = fields_[i].prepare(slot->tts_values[first_ + i]);
        MemoryContextSwitchTo(before);
    });
    row_.clear();
    for (std::size_t i = 0; i < fields_.size(); i++) {
        if (slot->tts_isnull[first_ + i])
            row_.null();
        else
            row_.field(fields_[i].bytes(prepared_[i], scratch_));
    }
    key_.clear();
    for (const KeyPart &part : key_parts_)
        append_sortable(key_, part, fields_[part.column].bytes(prepared_[part.column], scratch_));
}

} // namespace snapback
