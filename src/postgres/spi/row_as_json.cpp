#include "postgres/spi/row_as_json.hpp"

#include <cstring>
#include <limits>

#include "core/digest.hpp"

extern "C" {
#include "access/detoast.h"
#include "access/transam.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
}

namespace snapback {

namespace {

constexpr std::size_t bytes_of_long_values = 1000;
constexpr char digits[] = "0123456789abcdef";

/// Whether the error concerns the server or a cancel, not the value.
bool is_beyond_value(const ErrorReport &error) {
    return error.sqlstate.substr(0, 2) == "55" || error.sqlstate == sqlstate::data_corrupted ||
           error.sqlstate == "XX002";
}

/// A jsonb string, in the current memory context.
Datum json_string(std::string_view text) {
    return call([&] {
        JsonbValue value;
        value.type = jbvString;
        value.val.string.val = const_cast<char *>(text.data());
        value.val.string.len = static_cast<int>(text.size());
        return JsonbPGetDatum(JsonbValueToJsonb(&value));
    });
}

/// Text that is invalid in the database encoding, with bytes above 127 as \xHH.
std::string escaped(std::string_view text) {
    std::string safe;
    for (unsigned char byte : text) {
        if (byte < 128)
            safe += static_cast<char>(byte);
        else
            safe.append("\\x").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
    }
    return safe;
}

std::string hex(std::string_view bytes) {
    std::string text = "\\x";
    for (unsigned char byte : bytes)
        text.append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
    return text;
}

/// The first bytes of a text, without splitting characters.
std::string_view first_bytes(std::string_view text, std::size_t most) {
    if (text.size() <= most)
        return text;
    auto length = static_cast<std::size_t>(
        call([&] { return pg_mbcliplen(text.data(), static_cast<int>(most + 8), static_cast<int>(most)); }));
    return text.substr(0, length);
}

/// "first bytes... [bytes, SHA-256 ...]".
std::string cut(const std::string &start, std::string_view whole) {
    return start + "... [" + std::to_string(whole.size()) + " bytes, SHA-256 " + sha256(whole).hex() + "]";
}

/// Add one value to the object under construction; called inside `call`.
void push(JsonbParseState **state, Datum shown) {
    Jsonb *json = DatumGetJsonbP(shown);
    JsonbValue value;
    if (JB_ROOT_IS_SCALAR(json)) {
        JsonbExtractScalar(&json->root, &value);
    } else {
        value.type = jbvBinary;
        value.val.binary.data = &json->root;
        value.val.binary.len = static_cast<int>(VARSIZE(json) - VARHDRSZ);
    }
    pushJsonbValue(state, WJB_VALUE, &value);
}

} // namespace

/// How the values of one column are converted.
struct RowAsJson::Field {
    enum class Kind {
        text,    // text types: the bytes are the text
        bytes,   // bytea
        plain,   // built-in types that to_jsonb() always converts
        doubtful // all other types
    };
    std::string name;
    Kind kind;
    bool varlena;
    FmgrInfo to_jsonb;
    FmgrInfo output;
};

namespace {

/// Look up to_jsonb() for this type; called inside `call`.
void look_up_to_jsonb(Oid type, FmgrInfo *function) {
    fmgr_info(F_TO_JSONB, function);
    Node *argument = reinterpret_cast<Node *>(makeNullConst(type, -1, InvalidOid));
    fmgr_info_set_expr(reinterpret_cast<Node *>(makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(argument), InvalidOid,
                                                             InvalidOid, COERCE_EXPLICIT_CALL)),
                       function);
}

} // namespace

RowAsJson::RowAsJson(std::vector<Column> columns, std::size_t room)
    : room_(room),
      memory_(
          call([] { return AllocSetContextCreate(CurrentMemoryContext, "snapback json", ALLOCSET_DEFAULT_SIZES); })),
      fields_(columns.size()), shown_(columns.size()), null_(columns.size()) {
    for (std::size_t i = 0; i < columns.size(); i++) {
        Field &field = fields_[i];
        field.name = std::move(columns[i].name);
        Oid type = columns[i].type;
        call([&] {
            Oid base = getBaseType(type);
            bool is_own = base < FirstNormalObjectId && base != JSONOID && get_typtype(base) == TYPTYPE_BASE &&
                          !OidIsValid(get_element_type(base));
            if (base == TEXTOID || base == VARCHAROID || base == BPCHAROID)
                field.kind = Field::Kind::text;
            else if (base == BYTEAOID)
                field.kind = Field::Kind::bytes;
            else
                field.kind = is_own ? Field::Kind::plain : Field::Kind::doubtful;
            Oid output;
            getTypeOutputInfo(type, &output, &field.varlena);
            fmgr_info(output, &field.output);
            look_up_to_jsonb(type, &field.to_jsonb);
        });
    }
}

RowAsJson::~RowAsJson() {
    MemoryContextDelete(memory_);
}

void RowAsJson::forget() {
    call([&] { MemoryContextReset(memory_); });
}

/// A value's text as a jsonb string, truncated if it is long.
Datum RowAsJson::show_text(Field &field, Datum value, std::size_t most) {
    if (field.kind == Field::Kind::text || field.kind == Field::Kind::bytes) {
        varlena *flat = call([&] { return in_one_piece(value); });
        std::string_view bytes(VARDATA_ANY(flat), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(flat)));
        if (field.kind == Field::Kind::text)
            return json_string(bytes.size() <= most
                                   ? std::string(bytes)
                                   : cut(std::string(first_bytes(bytes, bytes_of_long_values)), bytes));
        return json_string(2 * bytes.size() <= most ? hex(bytes)
                                                    : cut(hex(bytes.substr(0, bytes_of_long_values / 2)), bytes));
    }
    std::string_view text;
    bool is_valid = false;
    std::optional<UndoneError> error = attempt([&] {
        text = call([&] { return OutputFunctionCall(&field.output, value); });
        is_valid = call([&] {
            return text.size() <= MaxAllocSize && pg_verifymbstr(text.data(), static_cast<int>(text.size()), true);
        });
    });
    if (error && is_beyond_value(*error))
        error->raise();
    if (error)
        return json_string("[cannot be shown: " + error->message + "]");
    if (text.size() <= most)
        return json_string(is_valid ? std::string(text) : escaped(text));
    std::string start(is_valid ? first_bytes(text, bytes_of_long_values) : text.substr(0, bytes_of_long_values));
    return json_string(cut(is_valid ? start : escaped(start), text));
}

namespace {

/// Whether all text in a jsonb is valid in the database encoding. to_jsonb() trusts the output functions of types.
bool is_encoded(Datum json) {
    return call([&] {
        Jsonb *value = DatumGetJsonbP(json);
        char *text = JsonbToCString(nullptr, &value->root, static_cast<int>(VARSIZE(value)));
        bool valid = pg_verifymbstr(text, static_cast<int>(strlen(text)), true);
        pfree(text);
        return valid;
    });
}

} // namespace

/// Convert a value with to_jsonb(), or to its text if jsonb cannot represent it.
Datum RowAsJson::as_it_is(Field &field, Datum value) {
    auto convert = [&] { return call([&] { return FunctionCall1(&field.to_jsonb, value); }); };
    if (field.kind == Field::Kind::plain)
        return convert();
    Datum converted = 0;
    bool valid = false;
    std::optional<UndoneError> error = attempt([&] {
        converted = convert();
        valid = is_encoded(converted);
    });
    if (error && is_beyond_value(*error))
        error->raise();
    return valid ? converted : show_text(field, value, room_);
}

/// Approximate size of a value's text in bytes.
std::size_t RowAsJson::size_of(const Field &field, Datum value) const {
    if (!field.varlena)
        return 0;
    std::size_t size = call([&] { return toast_raw_datum_size(value); }) - VARHDRSZ;
    return field.kind == Field::Kind::bytes ? 2 * size : size;
}

Datum RowAsJson::compose(const std::vector<std::size_t> &fields) {
    return call([&] {
        JsonbParseState *state = nullptr;
        pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
        for (std::size_t i : fields) {
            JsonbValue value;
            value.type = jbvString;
            value.val.string.val = fields_[i].name.data();
            value.val.string.len = static_cast<int>(fields_[i].name.size());
            pushJsonbValue(&state, WJB_KEY, &value);
            value.type = jbvNull;
            if (null_[i])
                pushJsonbValue(&state, WJB_VALUE, &value);
            else
                push(&state, shown_[i]);
        }
        return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr)));
    });
}

namespace {

/// Sets the current memory context while in scope.
class InContext {
public:
    explicit InContext(MemoryContext context) : before_(MemoryContextSwitchTo(context)) {}
    ~InContext() { MemoryContextSwitchTo(before_); }
    InContext(const InContext &) = delete;
    InContext &operator=(const InContext &) = delete;

private:
    MemoryContext before_;
};

} // namespace

Value RowAsJson::of(const Datum *values, const bool *nulls, const std::function<bool(std::size_t)> &chosen) {
    InContext here(memory_);
    std::vector<std::size_t> fields;
    std::size_t size = 0;
    for (std::size_t i = 0; i < fields_.size(); i++) {
        if (chosen && !chosen(i))
            continue;
        fields.push_back(i);
        null_[i] = nulls[i];
        if (!nulls[i])
            size += size_of(fields_[i], values[i]);
    }
    std::size_t most = size <= room_ ? room_ : room_ / fields_.size();
    for (std::size_t i : fields) {
        if (null_[i])
            continue;
        Field &field = fields_[i];
        bool is_text = field.kind == Field::Kind::text || field.kind == Field::Kind::bytes;
        bool is_long = size_of(field, values[i]) > most;
        shown_[i] = is_text || is_long ? show_text(field, values[i], most) : as_it_is(field, values[i]);
    }
    return {JSONBOID, compose(fields), false};
}

} // namespace snapback
