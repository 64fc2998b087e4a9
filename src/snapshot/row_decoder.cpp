#include "snapshot/row_decoder.hpp"

#include <cstring>

#include "core/bytes.hpp"
#include "core/chunk.hpp"
#include "postgres/as_owner.hpp"
#include "postgres/type_name.hpp"

extern "C" {
#include "mb/pg_wchar.h"
}

namespace snapback {

namespace {

/// Rebuild a datum of a binary form; inside `call`.
Datum binary_datum(FieldForm form, const char *bytes, std::size_t size) {
    if (form == FieldForm::payload) {
        auto *value = static_cast<varlena *>(palloc(size + VARHDRSZ));
        SET_VARSIZE(value, size + VARHDRSZ);
        std::memcpy(VARDATA(value), bytes, size);
        return PointerGetDatum(value);
    }
    if (form == FieldForm::fixed16) {
        auto *value = static_cast<char *>(palloc(16));
        std::memcpy(value, bytes, 16);
        return PointerGetDatum(value);
    }
    auto number = static_cast<std::int64_t>(little_endian({bytes, size}));
    switch (form) { // as Postgres fills a Datum from a number of this width
    case FieldForm::word1:
        return CharGetDatum(static_cast<char>(number));
    case FieldForm::word2:
        return Int16GetDatum(static_cast<std::int16_t>(number));
    case FieldForm::word4:
        return Int32GetDatum(static_cast<std::int32_t>(number));
    default:
        return Int64GetDatum(number);
    }
}

/// Whether a type, a domain's check or an object's absence has refused a value, and nothing else has gone wrong.
bool is_refusal(const PostgresError &error) {
    std::string state_class = error.sqlstate().substr(0, 2);
    return state_class == "22" || state_class == "23" || state_class == "42";
}

/// Whether this many bytes can be a value of the form.
bool fits(FieldForm form, std::size_t size) {
    std::size_t width = form == FieldForm::fixed16 ? 16 : word_width(form);
    return width == 0 || size == width;
}

} // namespace

RowDecoder::RowDecoder(const Shape &stored, const RelationShape &live)
    : table_(live.name), stored_columns_(stored.columns.size()),
      row_memory_(
          call([] { return AllocSetContextCreate(CurrentMemoryContext, "snapback row", ALLOCSET_DEFAULT_SIZES); })),
      source_(live.columns.size(), -1), fields_(live.columns.size()), values_(live.columns.size()),
      nulls_(std::make_unique<bool[]>(live.columns.size())) {
    if (stored.encoding != GetDatabaseEncodingName())
        throw Error(sqlstate::feature_not_supported,
                    "the snapshot was taken in a database of encoding " + stored.encoding);
    for (std::size_t s = 0; s < stored.columns.size(); s++) {
        const ShapeColumn &column = stored.columns[s];
        std::size_t l = live.column_named(column.name);
        if (l == live.columns.size())
            continue; // dropped since
        source_[l] = static_cast<int>(s);
        const LiveColumn &now = live.columns[l];
        Field &field = fields_[l];
        field.name = column.name;
        field.form = column.form;
        field.modifier = now.type_modifier;
        field.through_text = column.form != FieldForm::text && column.type != live.stored.columns[l].type;
        bool gone = call([&] {
            Oid function;
            bool is_varlena;
            getTypeInputInfo(now.type, &function, &field.parameter);
            fmgr_info(function, &field.input);
            if (!field.through_text)
                return false;
            Oid type = type_named(column.type.c_str());
            if (!OidIsValid(type))
                return true;
            getTypeOutputInfo(type, &function, &is_varlena);
            fmgr_info(function, &field.output);
            return false;
        });
        if (gone)
            throw Error(sqlstate::schema_changed, "column " + column.name + " of " + live.name + " was of type " +
                                                      column.type + ", which does not exist any more");
    }
}

RowDecoder::~RowDecoder() {
    MemoryContextDelete(row_memory_);
}

Datum RowDecoder::value(Field &field, const char *bytes, std::size_t size) {
    if (field.form != FieldForm::text) {
        Datum datum = binary_datum(field.form, bytes, size);
        if (!field.through_text)
            return datum;
        return InputFunctionCall(&field.input, OutputFunctionCall(&field.output, datum), field.parameter,
                                 field.modifier);
    }
    return InputFunctionCall(&field.input, pnstrdup(bytes, size), field.parameter, field.modifier);
}

void RowDecoder::decode(std::string_view row) {
    read_fields(row, stored_columns_, stored_);
    for (std::size_t i = 0; i < source_.size(); i++) {
        nulls_[i] = source_[i] < 0 || !stored_[source_[i]];
        if (!nulls_[i] && !fits(fields_[i].form, stored_[source_[i]]->size()))
            throw Error(sqlstate::data_corrupted, "a stored value has the wrong size for its type");
    }
    try {
        call([&] {
            MemoryContextReset(row_memory_);
            MemoryContext before = MemoryContextSwitchTo(row_memory_);
            for (at_ = 0; at_ < source_.size(); at_++)
                values_[at_] =
                    nulls_[at_] ? 0 : value(fields_[at_], stored_[source_[at_]]->data(), stored_[source_[at_]]->size());
            MemoryContextSwitchTo(before);
        });
    } catch (const PostgresError &error) {
        if (!is_refusal(error))
            throw;
        throw Error(sqlstate::schema_changed, "column " + fields_[at_].name + " of " + table_ +
                                                  " cannot take a value of the snapshot any more: " + error.what());
    }
}

void decode_chunk(std::string_view content, RowDecoder &decoder, Oid owner, TupleStore &store) {
    AsOwner as_owner(owner);
    for_each_row(content, [&](std::string_view row) {
        decoder.decode(row);
        store.add(decoder.values(), decoder.nulls());
    });
}

TupleDesc row_type(const RelationShape &live) {
    return call([&] {
        TupleDesc shape = CreateTemplateTupleDesc(static_cast<int>(live.columns.size()));
        for (std::size_t i = 0; i < live.columns.size(); i++) {
            const LiveColumn &column = live.columns[i];
            auto number = static_cast<AttrNumber>(i + 1);
            TupleDescInitEntry(shape, number, column.name.c_str(), column.type, column.type_modifier, 0);
            TupleDescInitEntryCollation(shape, number, column.collation);
        }
        return shape;
    });
}

} // namespace snapback
