#pragma once
// Finds the community of a table's rows: follows the registered path through the current system catalogs. It needs no
// privileges and no SQL, so the guard can call it during any statement.
#include "catalog/foreign_keys.hpp"

namespace snapback {

/// A protected table as currently registered.
struct ProtectedTable {
    std::int32_t id;
    Oid relation;              // invalid if each community has its own table
    std::string relation_name; // otherwise empty
    std::string community_column;
    std::string via;
};

/// Every protected table, in the order of registration.
std::vector<ProtectedTable> protected_tables();

/// The protected table with this number; throws Error (42704) if there is none.
ProtectedTable protected_table(std::int32_t id);

/// The registration of a relation, by OID or by name, or of its topmost registered ancestor (partition root or parent).
/// `relation` in the result is the registered relation, even if it is registered by name.
std::optional<ProtectedTable> registered_as(Oid relation);

/// The registration whose captures contain the rows of a relation: its own, or that of its closest registered ancestor.
/// It differs from registered_as() for a child that is protected apart from its parent.
std::optional<ProtectedTable> captured_as(Oid relation);

/// The relation that contains a community's rows: the shared table, or the table of that name in the community's
/// schema. Throws Error if the community has none.
Oid relation_of(const ProtectedTable &table, const std::string &community);

/// The path from a row to its community: a chain of foreign keys, empty for a column of the table itself.
struct CommunityPath {
    std::vector<ForeignKey> keys; // the first is a key of the table, each next one of the previous parent or of an
                                  // ancestor of that parent, followed by column names
    Oid end;                      // the last parent, or the table itself
    std::string column;           // column of `end` that contains the community; empty if the schema identifies it
    std::optional<Error> fault;   // why the path is broken; the other members then describe the part that exists
};

/// Follow the path of a registration, which need not be stored yet.
CommunityPath trace_path(const ProtectedTable &table);

/// A path as part of a query.
struct JoinedPath {
    std::string joins;        // " JOIN ONLY parent p1 ON p1.key = t.column …", with t for the table itself
    std::vector<Oid> parents; // the joined relations
    std::string column;       // the community column, qualified: t.cid, p1.cid
    Oid type;                 // its type; the base type of a domain
    std::string type_name;
};

/// The path of a table as joins; throws Error for a broken path.
JoinedPath joined_path(const ProtectedTable &table);

/// "EXISTS (…)": whether the row with alias t belongs to this community. Looks up the parents of one row by their keys.
std::string comes_to(const JoinedPath &path, const std::string &community);

} // namespace snapback
