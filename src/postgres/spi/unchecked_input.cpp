// All functions here run inside `call`. They allocate with palloc only and use no destructors.
#include "postgres/spi/unchecked_input.hpp"

#include "postgres/catalog/domains.hpp"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "parser/parse_type.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/typcache.h"
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#endif
}

namespace snapback {

/// How to read values of one type.
struct UncheckedInput::Form {
    enum Kind : char { plain, array, record } kind;
    FmgrInfo input; // of the base type
    Oid parameter;
    std::int32_t modifier;
    // for an array
    Oid element;
    std::int16_t length;
    bool by_value;
    char align;
    Form *elements;
    // for a composite type
    TupleDesc shape;
    Form **attributes;
};

namespace {

using Form = UncheckedInput::Form;

Form *form_of_type(Oid type, std::int32_t modifier);

/// Whether the domains in a type can be skipped. A type without domains uses its input function.
Form::Kind kind_of(Oid type) {
    if (!contains_domain(type))
        return Form::plain;
    if (OidIsValid(get_element_type(type)))
        return Form::array;
    return get_typtype(type) == TYPTYPE_COMPOSITE ? Form::record : Form::plain;
}

void describe_record(Form *form, Oid type) {
    form->shape = lookup_rowtype_tupdesc_copy(type, -1);
    form->attributes = static_cast<Form **>(palloc0(sizeof(Form *) * static_cast<std::size_t>(form->shape->natts)));
    for (int i = 0; i < form->shape->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(form->shape, i);
        if (!attribute->attisdropped)
            form->attributes[i] = form_of_type(attribute->atttypid, attribute->atttypmod);
    }
}

Form *form_of_type(Oid type, std::int32_t modifier) {
    check_stack_depth();
    Oid base = getBaseTypeAndTypmod(type, &modifier);
    auto *form = static_cast<Form *>(palloc0(sizeof(Form)));
    Oid function;
    getTypeInputInfo(base, &function, &form->parameter);
    fmgr_info(function, &form->input);
    form->modifier = modifier;
    form->kind = kind_of(base);
    if (form->kind == Form::array) {
        form->element = get_element_type(base);
        get_typlenbyvalalign(form->element, &form->length, &form->by_value, &form->align);
        form->elements = form_of_type(form->element, modifier);
    } else if (form->kind == Form::record) {
        describe_record(form, base);
    }
    return form;
}

Datum read_value(Form *form, char *text);

/// Read an array with the array input function as an array of another element type.
ArrayType *read_array_of(Oid element, char *text, std::int32_t modifier) {
    return DatumGetArrayTypeP(OidInputFunctionCall(F_ARRAY_IN, text, element, modifier));
}

Datum read_array(Form *form, char *form_text) {
    if (form->elements->kind == Form::plain) {
        ArrayType *values = read_array_of(getBaseType(form->element), form_text, form->elements->modifier);
        ARR_ELEMTYPE(values) = form->element;
        return PointerGetDatum(values);
    }
    ArrayType *texts = read_array_of(TEXTOID, form_text, -1);
    Datum *items;
    bool *nulls;
    int count;
    deconstruct_array(texts, TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &count);
    for (int i = 0; i < count; i++)
        if (!nulls[i])
            items[i] = read_value(form->elements, TextDatumGetCString(items[i]));
    return PointerGetDatum(construct_md_array(items, nulls, ARR_NDIM(texts), ARR_DIMS(texts), ARR_LBOUND(texts),
                                              form->element, form->length, form->by_value, form->align));
}

/// Remove the text of one attribute from the front of a record: everything up to a comma or the closing parenthesis.
/// False if the text ends first.
bool take_attribute(char **at, StringInfo into) {
    bool quoted = false;
    resetStringInfo(into);
    for (; **at && (quoted || (**at != ',' && **at != ')')); ++*at) {
        if (**at == '"') {
            if (quoted && (*at)[1] == '"')
                appendStringInfoChar(into, *++*at);
            else
                quoted = !quoted;
            continue;
        }
        if (**at == '\\' && !*++*at)
            return false;
        appendStringInfoChar(into, **at);
    }
    return **at != '\0';
}

/// Read a record in the format of record_out(); false for any other format.
bool read_attributes(Form *form, char *text, Datum *values, bool *nulls) {
    StringInfoData attribute;
    initStringInfo(&attribute);
    char *at = text;
    if (*at != '(')
        return false;
    for (int i = 0; i < form->shape->natts; i++) {
        nulls[i] = true;
        if (!form->attributes[i])
            continue; // dropped
        if (*at != '(' && *at != ',')
            return false;
        if (*++at == ',' || *at == ')')
            continue; // NULL
        if (!take_attribute(&at, &attribute))
            return false;
        values[i] = read_value(form->attributes[i], pstrdup(attribute.data));
        nulls[i] = false;
    }
    return *at == ')' && !at[1];
}

Datum read_record(Form *form, char *text) {
    auto count = static_cast<std::size_t>(form->shape->natts);
    auto *values = static_cast<Datum *>(palloc0(sizeof(Datum) * (count + 1)));
    auto *nulls = static_cast<bool *>(palloc0(sizeof(bool) * (count + 1)));
    if (!read_attributes(form, text, values, nulls)) // the type has changed: its input function reports the error
        return InputFunctionCall(&form->input, text, form->parameter, form->modifier);
    return HeapTupleGetDatum(heap_form_tuple(form->shape, values, nulls));
}

Datum read_value(Form *form, char *text) {
    switch (form->kind) {
    case Form::array:
        return read_array(form, text);
    case Form::record:
        return read_record(form, text);
    default:
        return InputFunctionCall(&form->input, text, form->parameter, form->modifier);
    }
}

} // namespace

UncheckedInput::UncheckedInput(Oid type, std::int32_t modifier) : form_(form_of_type(type, modifier)) {}

Datum UncheckedInput::read(char *text) const {
    return read_value(form_, text);
}

Oid type_named(const char *name) {
    Oid type = InvalidOid;
    int32 modifier = -1;
#if PG_VERSION_NUM >= 160000
    ErrorSaveContext absence{};
    absence.type = T_ErrorSaveContext;
    if (!parseTypeString(name, &type, &modifier, reinterpret_cast<Node *>(&absence)))
        return InvalidOid;
#else
    parseTypeString(name, &type, &modifier, true);
#endif
    return type;
}

} // namespace snapback
