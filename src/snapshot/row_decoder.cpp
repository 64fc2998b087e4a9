#include "snapshot/row_decoder.hpp"

#include <cstring>

#include "core/bytes.hpp"
#include "core/chunk.hpp"
#include "postgres/exec/as_owner.hpp"
#include "postgres/spi/varlena.hpp"

extern "C" {
#include "mb/pg_wchar.h"
}

namespace snapback {

namespace {

/// Rebuild a datum from its binary form; inside `call`.
Datum binary_datum(FieldForm form, const char *bytes, std::size_t size) {
    if (form == FieldForm::payload)
        return varlena_datum({bytes, size});
    if (form == FieldForm::fixed16) {
        auto *value = static_cast<char *>(palloc(16));
        std::memcpy(value, bytes, 16);
        return PointerGetDatum(value);
    }
    auto number = static_cast<std::int64_t>(little_endian({bytes, size}));
    switch (form) { // same conversion as in Postgres for a number of this width
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

/// Whether a value of the form can have this size.
bool fits(FieldForm form, std::size_t size) {
    std::size_t width = form == FieldForm::fixed16 ? 16 : word_width(form);
    return width == 0 || size == width;
}

} // namespace

RowDecoder::RowDecoder(const Shape &stored, const RelationShape &live, std::size_t more, Source source)
    : from_(source), table_(live.name), stored_columns_(stored.columns.size()),
      row_memory_(
          call([] { return AllocSetContextCreate(CurrentMemoryContext, "snapback row", ALLOCSET_DEFAULT_SIZES); })),
      source_(live.columns.size(), -1), fields_(live.columns.size()), given_(live.columns.size()),
      met_null_(live.columns.size()), values_(live.columns.size() + more),
      nulls_(std::make_unique<bool[]>(live.columns.size() + more)) {
    std::fill_n(nulls_.get() + live.columns.size(), more, true);
    if (stored.encoding != GetDatabaseEncodingName())
        throw Error(sqlstate::feature_not_supported,
                    "the snapshot was captured in a database with encoding " + stored.encoding);
    std::vector<ShapeColumn> columns = columns_as_called_now(stored, live);
    stores_alike_ = columns == live.stored.columns;
    std::vector<ColumnNow> matched = match_columns(stored, live);
    for (std::size_t s = 0; s < columns.size(); s++) {
        map(s, columns[s].name, stored, live);
        if (matched[s].former_too)
            map(s, *matched[s].former, stored, live);
    }
    for (const LabelledColumn &column : live.labelled)
        if (source_[column.column] >= 0)
            follow_labels(column, stored.label_renames);
}

/// Map a stored column to the live column of this name, if there is one.
void RowDecoder::map(std::size_t source, const std::string &name, const Shape &stored, const RelationShape &live) {
    std::size_t l = live.column_named(name);
    if (l == live.columns.size())
        return; // dropped, or generated now
    const ShapeColumn &column = stored.columns[source];
    source_[l] = static_cast<int>(source);
    const LiveColumn &now = live.columns[l];
    Field &field = fields_[l];
    field.name = name;
    field.form = column.form;
    field.through_text = column.form != FieldForm::text && column.type != live.stored.columns[l].type;
    bool gone = call([&] {
        Oid function;
        bool is_varlena;
        field.input = UncheckedInput(now.type, now.type_modifier);
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
        refuse(Error(sqlstate::schema_changed, "column \"" + name + "\" of " + live.name + " was of type " +
                                                   column.type + ", which no longer exists")
                   .with_hint("Create that type again for the restore, or restore other options."));
}

/// Record why rows cannot be decoded. The error is raised only if there is a row.
void RowDecoder::refuse(Error fault) {
    if (!fault_)
        fault_ = std::move(fault);
}

/// Prepare a column whose enum labels may have been renamed. Nested labels are not mapped: the enum rejects an old
/// label, unless another label has its name now, which must be an error.
void RowDecoder::follow_labels(const LabelledColumn &column, std::int64_t seen) {
    Field &field = fields_[column.column];
    field.labels = RenamedLabels(column, seen);
    if (field.labels.empty())
        return;
    if (column.form == LabelForm::nested && field.labels.would_mislead(column.labels))
        refuse(Error(sqlstate::schema_changed, "column \"" + field.name + "\" of " + table_ +
                                                   " contains nested enum labels whose old names were reused")
                   .with_hint("Restore other options."));
    stores_alike_ = false;
}

RowDecoder::~RowDecoder() {
    MemoryContextDelete(row_memory_);
}

Datum RowDecoder::value(Field &field, const char *bytes, std::size_t size) {
    if (field.form != FieldForm::text) {
        Datum datum = binary_datum(field.form, bytes, size);
        if (!field.through_text)
            return datum;
        return field.input.read(OutputFunctionCall(&field.output, datum));
    }
    return field.input.read(pnstrdup(bytes, size));
}

/// Replace labels by their current names.
void RowDecoder::relabel() {
    for (std::size_t i = 0; i < fields_.size(); i++) {
        Field &field = fields_[i];
        if (nulls_[i] || field.labels.empty() || field.form != FieldForm::text)
            continue;
        field.relabelled = field.labels.now(std::string(given_[i]), row_memory_);
        given_[i] = field.relabelled;
    }
}

void RowDecoder::decode(std::string_view row) {
    if (fault_)
        throw Error(*fault_);
    read_fields(row, stored_columns_, stored_);
    for (std::size_t i = 0; i < source_.size(); i++) {
        nulls_[i] = source_[i] < 0 || !stored_[source_[i]];
        if (nulls_[i])
            met_null_[i] = true;
        if (!nulls_[i])
            given_[i] = *stored_[source_[i]];
        if (!nulls_[i] && !fits(fields_[i].form, given_[i].size()))
            throw Error(sqlstate::data_corrupted, "a stored value has the wrong size for its type");
    }
    call([&] { MemoryContextReset(row_memory_); });
    relabel();
    explaining(
        [&] {
            call([&] {
                MemoryContext before = MemoryContextSwitchTo(row_memory_);
                for (at_ = 0; at_ < source_.size(); at_++) {
                    if (!nulls_[at_])
                        values_[at_] = value(fields_[at_], given_[at_].data(), given_[at_].size());
                }
                MemoryContextSwitchTo(before);
            });
        },
        [&](const ErrorReport &error) { return explain(error); });
}

/// Report which column rejected a value.
std::optional<Error> RowDecoder::explain(const ErrorReport &error) const {
    if (!error.is_refusal())
        return std::nullopt;
    if (from_ == Source::live)
        return Error(sqlstate::schema_changed, "column \"" + fields_[at_].name + "\" of " + table_ +
                                                   " contains a value that its type does not accept: " + error.message)
            .with_hint("Correct or delete that row, or restore other options.");
    return Error(sqlstate::schema_changed, "column \"" + fields_[at_].name + "\" of " + table_ +
                                               " no longer accepts a value of the snapshot: " + error.message)
        .with_hint("Change the column so that it accepts the value during the restore, or restore other options.");
}

void decode_chunk(std::string_view content, RowDecoder &decoder, Oid owner, TupleStore &store) {
    AsOwner as_owner(owner);
    for_each_row(content, [&](std::string_view row) {
        decoder.decode(row);
        store.add(decoder.values(), decoder.nulls());
    });
}

void decode_row(std::string_view row, RowDecoder &decoder, Oid owner, TupleStore &store) {
    AsOwner as_owner(owner);
    decoder.decode(row);
    store.add(decoder.values(), decoder.nulls());
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
