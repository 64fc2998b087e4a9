#include "guard/removed_keys.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "guard/pending_notes.hpp"
#include "postgres/exec/as_owner.hpp"
#include "postgres/lock/heavy_lock.hpp"
#include "postgres/spi/free_prefix.hpp"
#include "postgres/spi/result_set.hpp"
#include "postgres/spi/row_as_json.hpp"

namespace snapback {

namespace {

constexpr std::size_t most_keys = 100000; // of a community; beyond them, its table is read in full

/// The row type of the removed keys.
TupleDesc rows_of_keys(const RelationShape &shape, const std::string &community_column) {
    return call([&] {
        TupleDesc columns = CreateTemplateTupleDesc(static_cast<int>(shape.key.size()) + 1);
        TupleDescInitEntry(columns, 1, community_column.c_str(), INT4OID, -1, 0);
        for (std::size_t i = 0; i < shape.key.size(); i++) {
            const LiveColumn &column = shape.columns[shape.key[i].column];
            auto number = static_cast<AttrNumber>(i + 2);
            TupleDescInitEntry(columns, number, column.name.c_str(), column.type, column.type_modifier, 0);
            TupleDescInitEntryCollation(columns, number, column.collation);
        }
        return columns;
    });
}

/// Collects the notes about some communities.
class NoteReader {
public:
    NoteReader(const ProtectedTable &table, const RelationShape &shape, std::span<const std::string> communities,
               std::span<const std::uint64_t> since)
        : table_(table.id), form_(KeyForm::of(shape.relation, shape.relation)), since_(since),
          keys_(communities.size()), full_(communities.size()) {
        for (std::uint32_t i = 0; i < communities.size(); i++)
            indexes_.emplace(table.relation_name.empty() ? lock_key(communities[i]) : shape.relation, i);
    }

    void read() {
        read_written();
        visit_pending_notes([&](const Note &note) {
            if (note.table == table_)
                take(note, UINT64_MAX);
        });
    }

    const std::optional<KeyForm> &form() const { return form_; }
    const std::vector<bool> &full() const { return full_; }
    /// The keys of a community, as noted; none if its table must be read in full.
    const std::set<std::string, std::less<>> &keys(std::uint32_t community) const { return keys_[community]; }

private:
    void read_written() {
        std::vector<std::int64_t> places{static_cast<std::int64_t>(all_communities)};
        for (const auto &[place, index] : indexes_)
            places.push_back(static_cast<std::int64_t>(place));
        std::uint64_t first = since_.empty() ? 0 : *std::min_element(since_.begin(), since_.end());
        std::array<Value, 3> parameters{Value::integer(table_), Value::bigint_array(places),
                                        Value{XID8OID, UInt64GetDatum(first), false}};
        Query query;
        query.stream("SELECT n.community_hash, n.xid, n.key_form, n.keys FROM snapback.removed_key n"
                     " WHERE n.table_id = $1 AND n.community_hash = ANY ($2) AND n.xid >= $3",
                     parameters, [&](TupleTableSlot *slot) { take_row(slot); });
    }

    void take_row(TupleTableSlot *slot) {
        call([&] { slot_getallattrs(slot); });
        const Datum *values = slot->tts_values;
        std::string keys = slot->tts_isnull[3] ? std::string() : string_from_varlena(values[3]);
        std::string form = string_from_varlena(values[2]);
        take({static_cast<NotePlace>(DatumGetInt64(values[0])), table_, form,
              slot->tts_isnull[3] ? std::nullopt : std::optional<std::string_view>(keys)},
             DatumGetUInt64(values[1]));
    }

    /// Take a note of a transaction for the communities that it concerns.
    void take(const Note &note, std::uint64_t transaction) {
        auto [at, end] = note.place == all_communities ? std::pair(indexes_.cbegin(), indexes_.cend())
                                                       : std::as_const(indexes_).equal_range(note.place);
        for (; at != end; ++at)
            if (transaction >= since_[at->second] && !full_[at->second])
                add(at->second, note);
    }

    void add(std::uint32_t community, const Note &note) {
        bool readable = note.keys && form_ && note.form == form_->id && keys_[community].size() < most_keys;
        if (readable)
            for (std::string_view rest = *note.keys; !rest.empty();) {
                std::string_view key = rest.substr(0, form_->size_of_first(rest));
                if (keys_[community].find(key) == keys_[community].end())
                    keys_[community].emplace(key);
                rest.remove_prefix(key.size());
            }
        else {
            full_[community] = true;
            keys_[community].clear();
        }
    }

    std::int32_t table_;
    std::optional<KeyForm> form_;
    std::span<const std::uint64_t> since_;
    std::multimap<NotePlace, std::uint32_t> indexes_;
    std::vector<std::set<std::string, std::less<>>> keys_;
    std::vector<bool> full_;
};

/// Add a key to a store, as a row of a community.
void add_row(TupleStore &rows, std::uint32_t community, const std::vector<Value> &key) {
    std::vector<Datum> values{Int32GetDatum(static_cast<std::int32_t>(community))};
    for (const Value &value : key)
        values.push_back(value.datum);
    auto nulls = std::make_unique<bool[]>(values.size());
    rows.add(values.data(), nulls.get());
}

} // namespace

RemovedKeys::RemovedKeys(const ProtectedTable &table, const RelationShape &shape,
                         std::span<const std::string> communities, std::span<const std::uint64_t> since)
    : community_column_(free_prefix(shape.relation) + "community"),
      rows_("removed_keys", rows_of_keys(shape, community_column_)) {
    NoteReader reader(table, shape, communities, since);
    reader.read();
    full_ = reader.full();
    MemoryContext memory =
        call([] { return AllocSetContextCreate(CurrentMemoryContext, "snapback key", ALLOCSET_SMALL_SIZES); });
    MemoryContext before = MemoryContextSwitchTo(memory);
    for (std::uint32_t i = 0; i < communities.size(); i++)
        for (std::string_view key : reader.keys(i)) {
            add_row(rows_, i, reader.form()->read(key));
            MemoryContextReset(memory);
        }
    MemoryContextSwitchTo(before);
    MemoryContextDelete(memory);
}

SNAPBACK_FUNCTION(snapback_removed_keys) {
    ResultSet result(fcinfo);
    ProtectedTable table = protected_table(PG_GETARG_INT32(0));
    std::string community = string_from_varlena(PG_GETARG_DATUM(1));
    RelationShape shape = relation_shape(relation_of(table, community));
    std::uint64_t since = DatumGetUInt64(PG_GETARG_DATUM(2));
    RemovedKeys removed(table, shape, {&community, 1}, {&since, 1});
    if (removed.read_in_full(0))
        result.add({Value{JSONBOID, 0, true}});
    std::vector<RowAsJson::Column> columns;
    for (const KeyColumn &part : shape.key)
        columns.push_back({shape.columns[part.column].name, shape.columns[part.column].type});
    RowAsJson row(std::move(columns));
    Query query;
    removed.rows().show_to(query);
    AsOwner owner(shape.owner);
    query.stream("SELECT r.* FROM removed_keys r", {}, [&](TupleTableSlot *slot) {
        call([&] { slot_getallattrs(slot); });
        result.add({row.of(slot->tts_values + 1, slot->tts_isnull + 1)});
        row.forget();
    });
    PG_RETURN_NULL();
}

} // namespace snapback
