#pragma once
// Reads what the write guard has noted about rows that left a community. Together with the rows whose xmin is not
// before a basis (snapback_internal.is_between), the notes name every key whose row changed since that basis.
#include "catalog/community_path.hpp"
#include "catalog/relation_shape.hpp"
#include "postgres/spi/tuple_store.hpp"

namespace snapback {

/// The notes about one protected table since the bases of some communities: those that the active snapshot sees, and
/// those of this transaction, which are written at its commit.
///
/// A key is a nomination: its row may exist, in this or another community, or have existed never.
class RemovedKeys {
public:
    /// `since` has one transaction ID per community: the xmin of its basis. For a table that each community has in its
    /// own schema, there is one community, and `shape` is that of its table.
    RemovedKeys(const ProtectedTable &table, const RelationShape &shape, std::span<const std::string> communities,
                std::span<const std::uint64_t> since);
    RemovedKeys(const RemovedKeys &) = delete;
    RemovedKeys &operator=(const RemovedKeys &) = delete;

    /// Whether the table must be read in full for a community, given as its index. It then has no keys.
    bool read_in_full(std::uint32_t community) const { return full_[community]; }
    /// The distinct removed keys as rows: an integer with the index of the community, named `community_column()`, and
    /// the key columns with the names and types of the table.
    TupleStore &rows() { return rows_; }
    /// A name that no key column has.
    const std::string &community_column() const { return community_column_; }

private:
    std::vector<bool> full_;
    std::string community_column_;
    TupleStore rows_;
};

} // namespace snapback
