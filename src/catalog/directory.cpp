#include "catalog/directory.hpp"

#include <unordered_map>

#include "postgres/exec/as_owner.hpp"
#include "postgres/spi/result_set.hpp"

namespace snapback {

namespace {

struct Directory {
    Oid relation;
    Oid owner;
    std::string name; // qualified and quoted
    bool has_schema_name;
    bool has_identity;
};

/// Find the directory and lock it, so that its owner does not change.
Directory locked_directory(Query &query) {
    Rows rows = query.run("SELECT relation::oid FROM snapback.directory");
    if (rows.empty())
        throw Error(sqlstate::object_not_in_state, "no directory of communities is set")
            .with_hint("Call snapback.set_directory() with a view that has one row per community.");
    Oid relation = rows[0].oid(1);
    if (!call([&] { return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation)); }))
        throw Error(sqlstate::object_not_in_state, "the directory of communities was dropped")
            .with_hint("Call snapback.set_directory() with the view that lists them now.");
    Oid owner = lock_and_get_owner(relation);
    auto has_column = [&](const char *name) {
        return call([&] { return get_attnum(relation, name) != InvalidAttrNumber; });
    };
    return {relation, owner, qualified_name(relation), has_column("schema_name"), has_column("identity")};
}

/// Read a directory row with the columns of `select_entries`.
DirectoryEntry entry_of(const Row &row, const Directory &directory) {
    if (row.is_null(1))
        throw Error(sqlstate::object_not_in_state, "the directory " + directory.name + " has a row without a community")
            .with_hint("Each row must have a community.");
    return {row.text(1),
            row.optional_text(2),
            row.optional_text(3),
            row.optional_text(4),
            !row.is_null(5) && row.boolean(5),
            row.optional_text(6),
            row.optional_text(7)};
}

/// The expression for the identity of a row. A NULL in the column is an identity as well; only a directory without the
/// column has none.
std::string identity_of(const Directory &directory) {
    return directory.has_identity ? "coalesce(d.identity::text, '')" : "NULL::text";
}

std::string select_entries(const Directory &directory) {
    return std::string("SELECT d.community::text, d.name::text, d.owner::text, d.owner_email::text,"
                       " d.restores_enabled::boolean, ") +
           (directory.has_schema_name ? "d.schema_name::text" : "NULL::text") + ", " + identity_of(directory) +
           " FROM " + directory.name + " d";
}

Error listed_twice(const std::string &community, const Directory &directory) {
    return Error(sqlstate::object_not_in_state,
                 "community \"" + community + "\" appears more than once in the directory " + directory.name)
        .with_hint("The directory must have one row per community.");
}

Value text_or_null(const std::optional<std::string> &text) {
    return text ? Value::text(std::string_view(*text)) : Value{TEXTOID, 0, true};
}

void add_entry(ResultSet &result, const DirectoryEntry &entry) {
    result.add({Value::text(std::string_view(entry.community)), text_or_null(entry.name), text_or_null(entry.owner),
                text_or_null(entry.owner_email), Value::boolean(entry.restores_enabled),
                text_or_null(entry.schema_name), text_or_null(entry.identity)});
}

} // namespace

std::optional<DirectoryEntry> directory_entry(const std::string &community) {
    Query query;
    Directory directory = locked_directory(query);
    AsOwner as_owner(directory.owner);
    Rows rows = query.run(select_entries(directory) + " WHERE d.community::text COLLATE \"C\" = $1",
                          {Value::text(std::string_view(community))});
    if (rows.empty())
        return std::nullopt;
    if (rows.size() > 1)
        throw listed_twice(community, directory);
    return entry_of(rows[0], directory);
}

std::vector<DirectoryEntry> directory_entries() {
    Query query;
    Directory directory = locked_directory(query);
    AsOwner as_owner(directory.owner);
    std::vector<DirectoryEntry> entries;
    for (Row row : query.run(select_entries(directory) + " ORDER BY d.community::text COLLATE \"C\"")) {
        DirectoryEntry entry = entry_of(row, directory);
        if (!entries.empty() && entries.back().community == entry.community)
            throw listed_twice(entry.community, directory);
        entries.push_back(std::move(entry));
    }
    return entries;
}

std::vector<std::string> communities() {
    Query query;
    Directory directory = locked_directory(query);
    AsOwner as_owner(directory.owner);
    std::vector<std::string> result;
    for (Row row :
         query.run("SELECT DISTINCT d.community::text COLLATE \"C\" FROM " + directory.name + " d ORDER BY 1"))
        if (!row.is_null(1))
            result.push_back(row.text(1));
        else
            call([&] {
                ereport(WARNING, (errmsg("the directory %s has a row without a community", directory.name.c_str()),
                                  errhint("The row is ignored. Each row must have a community.")));
            });
    return result;
}

namespace {

std::vector<CommunityKey> read_keys(Query &query, const Directory &directory, std::span<const std::string> among) {
    std::vector<Value> wanted;
    if (!among.empty())
        wanted.push_back(Value::text_array(among));
    std::vector<CommunityKey> keys;
    AsOwner as_owner(directory.owner);
    query.stream("SELECT DISTINCT ON (1) d.community::text COLLATE \"C\", " + identity_of(directory) + " FROM " +
                     directory.name + " d WHERE d.community::text IS NOT NULL" +
                     (among.empty() ? "" : " AND d.community::text COLLATE \"C\" = ANY ($1)") + " ORDER BY 1, 2",
                 wanted, [&](TupleTableSlot *slot) {
                     call([&] { slot_getallattrs(slot); });
                     std::optional<std::string> identity;
                     if (!slot->tts_isnull[1])
                         identity = string_from_varlena(slot->tts_values[1]);
                     keys.push_back({string_from_varlena(slot->tts_values[0]), std::move(identity)});
                 });
    return keys;
}

} // namespace

std::vector<CommunityKey> directory_keys(std::span<const std::string> among) {
    Query query;
    Directory directory = locked_directory(query);
    return read_keys(query, directory, among);
}

std::vector<std::optional<std::string>> identities_of(std::span<const std::string> communities) {
    Query query;
    std::vector<std::optional<std::string>> result(communities.size());
    if (query.run("SELECT FROM snapback.directory").empty())
        return result;
    Directory directory = locked_directory(query);
    if (!directory.has_identity)
        return result;
    std::unordered_map<std::string, std::string> known;
    for (CommunityKey &key : read_keys(query, directory, communities))
        known.emplace(std::move(key.community), std::move(*key.identity));
    for (std::size_t i = 0; i < communities.size(); i++) {
        auto found = known.find(communities[i]);
        result[i] = found == known.end() ? std::string() : found->second;
    }
    return result;
}

std::map<std::string, std::string> community_names(const std::vector<std::string> &communities) {
    Query query;
    Directory directory = locked_directory(query);
    AsOwner as_owner(directory.owner);
    std::map<std::string, std::string> names;
    for (Row row :
         query.run("SELECT d.community::text COLLATE \"C\", pg_catalog.min(d.name::text COLLATE \"C\") FROM " +
                       directory.name + " d WHERE d.community::text COLLATE \"C\" = ANY ($1) GROUP BY 1" +
                       " HAVING pg_catalog.count(*) = 1"
                       " AND pg_catalog.length(pg_catalog.min(d.name::text COLLATE \"C\")) BETWEEN 1 AND 1000",
                   {Value::text_array(communities)}))
        names.emplace(row.text(1), row.text(2));
    return names;
}

std::optional<TableColumn> community_key() {
    Query query;
    Directory directory = locked_directory(query);
    AttrNumber number = call([&] { return get_attnum(directory.relation, "community"); });
    return source_column(directory.relation, number);
}

} // namespace snapback

using namespace snapback;

SNAPBACK_FUNCTION(snapback_directory_entry) {
    ResultSet result(fcinfo);
    if (auto entry = directory_entry(string_from_varlena(PG_GETARG_DATUM(0))))
        add_entry(result, *entry);
    return Datum(0);
}

SNAPBACK_FUNCTION(snapback_directory_entries) {
    ResultSet result(fcinfo);
    for (const DirectoryEntry &entry : directory_entries())
        add_entry(result, entry);
    return Datum(0);
}

SNAPBACK_FUNCTION(snapback_directory_keys) {
    ResultSet result(fcinfo);
    for (const CommunityKey &key : directory_keys({}))
        result.add({Value::text(std::string_view(key.community)), text_or_null(key.identity)});
    return Datum(0);
}

SNAPBACK_FUNCTION(snapback_communities) {
    ResultSet result(fcinfo);
    for (const std::string &community : communities())
        result.add({Value::text(std::string_view(community))});
    return Datum(0);
}

SNAPBACK_FUNCTION(snapback_community_key) {
    ResultSet result(fcinfo);
    if (auto key = community_key())
        result.add({Value::regclass(key->relation), Value::integer(key->number)});
    return Datum(0);
}
