#pragma once
#include "catalog/relation_shape.hpp"

namespace snapback {

/// How a row's community is found: through a chain of foreign keys (none, for a column of its own) to a column.
struct CommunityPath {
    std::string joins;  // " JOIN ONLY parent p1 ON p1.key = t.column …", with t for the table itself
    std::string column; // the community's column, qualified: t.cid, p1.cid
    Oid type;           // its type
    std::string type_name;
};

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

/// The relation that holds a community's rows: the shared one, or the one of that name in the community's schema;
/// throws Error where the community has none.
Oid relation_of(const ProtectedTable &table, const std::string &community);

/// Resolve a table's path through the catalogs as they are now; throws Error naming the step that is gone.
CommunityPath community_path(const ProtectedTable &table);

} // namespace snapback
