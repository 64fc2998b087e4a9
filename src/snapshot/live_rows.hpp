#pragma once
#include <functional>
#include <span>
#include <unordered_map>

#include "catalog/community_path.hpp"
#include "catalog/relation_shape.hpp"
#include "postgres/tuple_store.hpp"

namespace snapback {

/// Receives a live row: the index of its community, its key in sortable form, and its stored form.
using RowVisitor = std::function<void(std::uint32_t community, std::string_view key, std::string_view row)>;
/// Brings rows to a visitor.
using RowReader = std::function<void(const RowVisitor &visit)>;

/// Lock a table, and those on the way from its rows to their community, before the snapshot is taken that the rows are
/// read under: one that is emptied or rewritten afterwards (TRUNCATE, ALTER TABLE) has no rows for an older snapshot.
void hold_rows(const ProtectedTable &table, Oid relation);

/// Read the rows that these communities have in a shared table, in one query and in no particular order, as the
/// table's owner. Rows are read under the active snapshot. The one path by which live rows are ever read.
void read_live_rows(const ProtectedTable &table, const RelationShape &shape, std::span<const std::string> communities,
                    const RowVisitor &visit);

/// Read all rows of a table that belongs to one community as a whole; the visitor is given `community`.
void read_live_table(const RelationShape &shape, std::uint32_t community, const RowVisitor &visit);

/// Read rows of a table that are in a store, which the query sees, likewise.
void read_stored_rows(Query &query, const TupleStore &store, const RelationShape &shape, std::uint32_t community,
                      const RowVisitor &visit);

} // namespace snapback
