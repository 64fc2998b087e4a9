#pragma once
#include <functional>
#include <span>
#include <unordered_map>

#include "catalog/community_path.hpp"
#include "catalog/relation_shape.hpp"
#include "guard/removed_keys.hpp"
#include "postgres/spi/tuple_store.hpp"

namespace snapback {

/// Receives a live row: the index of its community, its sortable key, and its stored form.
using RowVisitor = std::function<void(std::uint32_t community, std::string_view key, std::string_view row)>;
/// Passes rows to a visitor.
using RowReader = std::function<void(const RowVisitor &visit)>;

/// A table that has only the key columns of another one.
RelationShape only_key(RelationShape shape);

/// Lock a table and the tables on its path before taking the MVCC snapshot that reads the rows. A table that is
/// truncated or rewritten later (TRUNCATE, ALTER TABLE) appears empty to an older snapshot.
void hold_rows(const ProtectedTable &table, Oid relation);

/// Read the rows of these communities in a shared table as the table's owner, in one query under the active snapshot
/// and in no particular order. All reads of live rows use this function. `since`: read only rows whose version was
/// written by this transaction or a later one.
void read_live_rows(const ProtectedTable &table, const RelationShape &shape, std::span<const std::string> communities,
                    const RowVisitor &visit, std::optional<std::uint64_t> since = std::nullopt);

/// Visit the keys of rows that no longer exist in the community that they have left; the stored form is empty.
void read_removed_keys(const ProtectedTable &table, const RelationShape &shape,
                       std::span<const std::string> communities, RemovedKeys &removed, const RowVisitor &visit);

/// Read all rows of a table that belongs to one community; the visitor receives `community`.
void read_live_table(const RelationShape &shape, std::uint32_t community, const RowVisitor &visit);

/// Read all rows of a tuple store that the query can see; the visitor receives `community`.
void read_stored_rows(Query &query, const TupleStore &store, const RelationShape &shape, std::uint32_t community,
                      const RowVisitor &visit);

} // namespace snapback
