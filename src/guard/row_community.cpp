#include "guard/row_community.hpp"

namespace snapback {

namespace {

/// Read a column of the row that the trigger was called for. The tuple is in memory, so this cannot fail.
Value read_column(const StoredColumn &column, TupleTableSlot *row) {
    Value value;
    value.type = column.type;
    value.datum = slot_getattr(row, column.number, &value.null);
    return value;
}

bool has_null(std::span<const Value> values) {
    for (const Value &value : values)
        if (value.null)
            return true;
    return false;
}

/// Follow one foreign key: append the selected values of each parent row. Return the number of rows.
std::size_t take(const ParentStep &step, std::span<const Value> key, KeyLookup::Rows rows, std::vector<Value> &found) {
    if (const auto *lookup = std::get_if<KeyLookup>(&step))
        return lookup->find(key, found, rows);
    Query query;
    const auto &plan = std::get<SavedPlan>(step);
    return rows == KeyLookup::Rows::current ? plan.fetch_latest_row(key, found) : plan.fetch_earlier_row(key, found);
}

/// Follow the path from a step on. Return false if a parent is missing.
bool follow(const GuardedPath &path, std::size_t step, std::span<const Value> key, const CommunityVisitor &visit,
            KeyLookup::Rows which) {
    if (has_null(key))
        return true;
    if (step == path.steps.size()) {
        visit(path.name->of(key.front().datum));
        return true;
    }
    std::vector<Value> found;
    std::size_t rows = take(path.steps[step], key, which, found);
    bool complete = rows > 0;
    for (std::size_t row = 0, width = rows ? found.size() / rows : 0; row < rows; row++)
        complete = follow(path, step + 1, std::span(found).subspan(row * width, width), visit, which) && complete;
    return complete;
}

} // namespace

void visit_community_in_column(const GuardedPath &path, TupleTableSlot *row, const CommunityVisitor &visit) {
    Value value = read_column(path.columns.front(), row);
    if (!value.null)
        visit(path.name->of(value.datum));
}

std::vector<Value> start_key(const GuardedPath &path, TupleTableSlot *row) {
    std::vector<Value> key;
    key.reserve(path.columns.size());
    for (const StoredColumn &column : path.columns)
        key.push_back(read_column(column, row));
    return key;
}

bool visit_communities_of_key(const GuardedPath &path, std::span<const Value> key, const CommunityVisitor &visit,
                              KeyLookup::Rows rows) {
    return follow(path, 0, key, visit, rows);
}

} // namespace snapback
