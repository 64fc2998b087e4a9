#pragma once
// The one way of finding out which community a table's rows belong to: what is registered, followed through the
// catalogs as they are at this moment, with no rights and no SQL, so that the guard may ask in the midst of any
// statement.
#include "catalog/foreign_keys.hpp"

namespace snapback {

/// One protected table as the catalog has it now.
struct ProtectedTable {
    std::int32_t id;
    Oid relation;              // invalid where each community has a table of its own
    std::string relation_name; // else empty
    std::string community_column;
    std::string via;
};

/// Every protected table, in the order of registration.
std::vector<ProtectedTable> protected_tables();

/// The protected table of this number; throws Error (42704) where there is none.
ProtectedTable protected_table(std::int32_t id);

/// What is registered for a relation: for itself, by its OID or by its name, or for the topmost of those that it is a
/// partition or child of. `relation` is the one found, also where it is registered by name.
std::optional<ProtectedTable> registered_as(Oid relation);

/// The relation that holds a community's rows: the shared one, or the one of that name in the community's schema;
/// throws Error where the community has none.
Oid relation_of(const ProtectedTable &table, const std::string &community);

/// How a row's community is found: through a chain of foreign keys (none, for a column of its own).
struct CommunityPath {
    std::vector<ForeignKey> keys; // the first one the table's; each next one a key of the parent before, or of what
                                  // that is a partition or child of, by whose column names it is followed
    Oid end;                      // the last parent, or the table itself
    std::string column;           // of `end`, which names the community; empty: the schema does that `end` is in
    std::optional<Error> fault;   // why it leads nowhere; what is above is then how far it goes
};

/// Follow the path of a table that is registered so, or could be.
CommunityPath trace_path(const ProtectedTable &table);

/// A path as a query takes it.
struct JoinedPath {
    std::string joins;        // " JOIN ONLY parent p1 ON p1.key = t.column …", with t for the table itself
    std::vector<Oid> parents; // what is joined
    std::string column;       // the community's column, qualified: t.cid, p1.cid
    Oid type;                 // its type; of a domain, that which it is made over
    std::string type_name;
};

/// A table's path as joins; throws Error naming the step that is gone.
JoinedPath joined_path(const ProtectedTable &table);

/// "EXISTS (…)": the table's row seen as t comes to this community. A question about one row, answered by the keys of
/// its parents.
std::string comes_to(const JoinedPath &path, const std::string &community);

} // namespace snapback
