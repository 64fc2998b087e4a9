#pragma once
#include <string>
#include <vector>

#include "postgres/spi/query.hpp"

namespace snapback {

/// Whether an expression in catalog form (pg_node_tree) depends only on its row: all functions are built in and read no
/// table. User functions may read anything, whatever their volatility.
bool is_self_contained(const std::string &expression);

/// Whether the checks of all domains in a type are self-contained.
bool has_self_contained_domains(Query &query, Oid type);

/// Whether an index's expressions or predicate reference the whole row, so that only the table itself can compute them.
bool reads_whole_row(Oid index);

} // namespace snapback
