#include "snapshot/row_encoder.hpp"

namespace snapback {

FieldEncoder::FieldEncoder(Oid type, FieldForm form)
    : form_(form), is_signed_(type != BOOLOID && type != CHAROID && type != PG_LSNOID) {
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
        return PointerGetDatum(pg_detoast_datum_packed(reinterpret_cast<varlena *>(DatumGetPointer(datum))));
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

void FieldEncoder::append_sortable(std::string &key, std::string_view bytes) const {
    if (int width = static_cast<int>(word_width(form_))) {
        std::uint64_t sign = is_signed_ ? std::uint64_t{1} << (width * 8 - 1) : 0;
        append_big_endian(key, little_endian(bytes) ^ sign, width);
    } else if (form_ == FieldForm::fixed16) {
        key.append(bytes);
    } else {
        // A zero byte is written as 00 ff and the end as 00 00, so that a shorter value sorts before its extensions.
        for (char c : bytes) {
            key.push_back(c);
            if (c == '\0')
                key.push_back('\xff');
        }
        key.append(2, '\0');
    }
}

RowEncoder::RowEncoder(const RelationShape &shape, int first)
    : first_(first),
      row_memory_(
          call([] { return AllocSetContextCreate(CurrentMemoryContext, "snapback row", ALLOCSET_DEFAULT_SIZES); })),
      prepared_(shape.columns.size()) {
    for (const LiveColumn &column : shape.columns)
        fields_.emplace_back(column.type, column.form);
    for (const KeyColumn &part : shape.key)
        key_columns_.push_back(part.column);
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
    for (std::size_t i : key_columns_)
        fields_[i].append_sortable(key_, fields_[i].bytes(prepared_[i], scratch_));
}

} // namespace snapback
