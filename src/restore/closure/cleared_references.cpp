#include "restore/closure/cleared_references.hpp"

#include <algorithm>

namespace snapback {

bool is_path(const TablePlan &child, const ForeignKey &key, const std::string &column) {
    return child.table.via.empty() ? child.table.community_column == column : child.table.via == key.name;
}

bool can_be_null(const TablePlan &child, const ForeignKey &key,
                 const std::function<bool(const ForeignKey::Pair &)> &meant) {
    return std::all_of(key.pairs.begin(), key.pairs.end(), [&](const ForeignKey::Pair &pair) {
        return meant(pair) ? pair.child_nullable && !is_path(child, key, pair.child_column) : !key.match_full;
    });
}

bool can_be_cleared(const TablePlan &child, const ForeignKey &key) {
    return key.on_delete == ForeignKey::OnDelete::set_null &&
           can_be_null(child, key, [](const ForeignKey::Pair &pair) { return pair.nulled; });
}

} // namespace snapback
