#include "snapshot/live_rows.hpp"

#include <unordered_map>

#include "catalog/row_keys.hpp"
#include "postgres/catalog/inheritance.hpp"
#include "postgres/catalog/row_security.hpp"
#include "postgres/exec/as_owner.hpp"
#include "snapshot/basis.hpp"
#include "snapshot/row_encoder.hpp"

extern "C" {
#include "storage/lmgr.h"
}

namespace snapback {

namespace {

/// ", t.a, t.b": the table's columns for a select list.
std::string column_list(const RelationShape &shape) {
    std::string list;
    for (const LiveColumn &column : shape.columns)
        list += ", t." + quote_name(column.name);
    return list;
}

/// Finds the community of a row by the stored bytes of its key, without converting each key to text.
class CommunityIndex {
public:
    CommunityIndex(Oid type, std::span<const std::string> communities) : encoder_(type, form_of(type)) {
        std::string scratch;
        for (std::uint32_t i = 0; i < communities.size(); i++)
            index_.emplace(bytes_of(Value::from_text(communities[i], type).datum, scratch), i);
    }

    std::uint32_t of(Datum community) {
        std::string_view bytes = bytes_of(community, scratch_);
        if (bytes != last_ || last_index_ == UINT32_MAX) {
            last_ = bytes;
            auto found = index_.find(last_);
            if (found == index_.end())
                throw Error(sqlstate::object_not_in_state,
                            "community key matches a directory entry but its text differs")
                    .with_hint("The directory must list each community with the same text as its rows.");
            last_index_ = found->second;
        }
        return last_index_;
    }

private:
    std::string_view bytes_of(Datum community, std::string &scratch) const {
        if (!encoder_.is_prepared())
            community = call([&] { return encoder_.prepare(community); });
        return encoder_.bytes(community, scratch);
    }

    FieldEncoder encoder_;
    std::unordered_map<std::string, std::uint32_t> index_;
    std::string scratch_;
    std::string last_;
    std::uint32_t last_index_ = UINT32_MAX;
};

/// Lock a table with its partitions; return whether it exists. If the transaction's snapshot is older, throw Error
/// (40001) if one of them has been truncated or rewritten after it.
bool hold(Oid relation) {
    if (!call([&] {
            LockRelationOid(relation, AccessShareLock);
            return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation));
        }))
        return false;
    std::vector<Oid> members = with_descendants(relation);
    if (!call([] { return IsolationUsesXactSnapshot(); }))
        return true;
    Query query;
    for (Oid member : members)
        if (query
                .run("SELECT FROM pg_catalog.pg_class c WHERE c.oid = $1"
                     " AND (c.relkind <> 'r' OR c.relfilenode = pg_catalog.pg_relation_filenode(c.oid))",
                     {Value::regclass(member)})
                .empty())
            throw Error(sqlstate::serialization_failure,
                        qualified_name(member) + " was rewritten after the snapshot of this transaction was taken")
                .with_hint("Retry in a separate transaction.");
    return true;
}

/// Read all rows of a relation with the table's columns.
void read_all(Query &query, const std::string &relation, const RelationShape &shape, std::uint32_t community,
              const RowVisitor &visit) {
    // The first column corresponds to the community of a shared table.
    std::string sql = "SELECT NULL" + column_list(shape) + " FROM " + relation + " t";
    AsOwner owner(shape.owner);
    RowEncoder encoder(shape, 1);
    query.stream(sql, {}, [&](TupleTableSlot *slot) {
        encoder.encode(slot);
        visit(community, encoder.key(), encoder.row());
    });
}

/// The path of a table, if its owner may read all of it.
JoinedPath readable_path(const ProtectedTable &table, const RelationShape &shape) {
    JoinedPath path = joined_path(table);
    refuse_binding_owner(shape.relation, shape.owner);
    for (Oid parent : path.parents)
        refuse_hidden_parent(parent, shape.relation, shape.owner);
    return path;
}

} // namespace

RelationShape only_key(RelationShape shape) {
    std::vector<LiveColumn> columns;
    std::vector<ShapeColumn> stored;
    for (std::size_t i = 0; i < shape.key.size(); i++) {
        columns.push_back(shape.columns[shape.key[i].column]);
        stored.push_back(shape.stored.columns[shape.key[i].column]);
        shape.key[i].column = i;
        shape.stored.key[i] = i;
    }
    shape.columns = std::move(columns);
    shape.stored.columns = std::move(stored);
    return shape;
}

void hold_rows(const ProtectedTable &table, Oid relation) {
    if (hold(relation) && !table.via.empty())
        for (const ForeignKey &key : trace_path(table).keys)
            hold(key.parent);
}

void read_live_rows(const ProtectedTable &table, const RelationShape &shape, std::span<const std::string> communities,
                    const RowVisitor &visit, std::optional<std::uint64_t> since) {
    JoinedPath path = readable_path(table, shape);
    std::string sql = "SELECT " + path.column + column_list(shape) + " FROM " + shape.from() + " t" + path.joins +
                      " WHERE " + path.column + " = ANY (CAST($1 AS " + path.type_name + "[]))";
    if (since)
        sql += " AND " + written_since("t", *since);
    AsOwner owner(shape.owner);
    Query query;
    CommunityIndex index(path.type, communities);
    RowEncoder encoder(shape, 1);
    Value list = Value::text_array(communities);
    query.stream(sql, std::span<const Value>(&list, 1), [&](TupleTableSlot *slot) {
        encoder.encode(slot);
        visit(index.of(slot->tts_values[0]), encoder.key(), encoder.row());
    });
}

void read_removed_keys(const ProtectedTable &table, const RelationShape &shape,
                       std::span<const std::string> communities, RemovedKeys &removed, const RowVisitor &visit) {
    if (removed.rows().size() == 0)
        return;
    JoinedPath path = readable_path(table, shape);
    RelationShape keys = only_key(shape);
    std::string index = "k." + quote_name(removed.community_column());
    std::string noted, live;
    for (const LiveColumn &column : keys.columns) {
        noted += ", k." + quote_name(column.name);
        live += (live.empty() ? "t." : ", t.") + quote_name(column.name);
    }
    std::string sql = "SELECT " + index + noted + ", l.* FROM " + removed.rows().name() +
                      " k LEFT JOIN LATERAL (SELECT " + live + " FROM " + shape.from() + " t" + path.joins + " WHERE " +
                      same_key(shape, "k", "t") + " AND " + path.column + " = (CAST($1 AS " + path.type_name + "[]))[" +
                      index + " + 1]) l ON true";
    AsOwner owner(shape.owner);
    Query query;
    removed.rows().show_to(query);
    int columns = static_cast<int>(keys.columns.size());
    RowEncoder encoder(keys, 1);
    RowEncoder live_encoder(keys, 1 + columns);
    Value list = Value::text_array(communities);
    query.stream(sql, std::span<const Value>(&list, 1), [&](TupleTableSlot *slot) {
        encoder.encode(slot);
        // Snapshots tell keys apart by their bytes: the numeric 1.0 can become 1.00.
        if (!slot->tts_isnull[1 + columns]) {
            live_encoder.encode(slot);
            if (live_encoder.key() == encoder.key())
                return;
        }
        visit(static_cast<std::uint32_t>(DatumGetInt32(slot->tts_values[0])), encoder.key(), {});
    });
    removed.rows().hide();
}

void read_live_table(const RelationShape &shape, std::uint32_t community, const RowVisitor &visit) {
    refuse_binding_owner(shape.relation, shape.owner);
    Query query;
    read_all(query, shape.from(), shape, community, visit);
}

void read_stored_rows(Query &query, const TupleStore &store, const RelationShape &shape, std::uint32_t community,
                      const RowVisitor &visit) {
    read_all(query, store.name(), shape, community, visit);
}

} // namespace snapback
