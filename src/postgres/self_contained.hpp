#pragma once
#include <string>
#include <vector>

#include "postgres/query.hpp"

namespace snapback {

/// Whether an expression, as the catalogs hold it (pg_node_tree), is known to depend on nothing but the row it is
/// about: all it calls is Postgres's own, and reads no table. What others have written may read what it likes, whatever
/// it is declared as.
bool is_self_contained(const std::string &expression);

/// The same of the checks of every domain in a type.
bool has_self_contained_domains(Query &query, Oid type);

} // namespace snapback
