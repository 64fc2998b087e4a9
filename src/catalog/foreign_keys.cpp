#include "catalog/foreign_keys.hpp"

#include <algorithm>
#include <array>

#include "postgres/catalog/foreign_key_kind.hpp"
#include "postgres/spi/arguments.hpp"
#include "postgres/spi/result_set.hpp"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/ruleutils.h"
}

namespace snapback {

namespace {

/// A foreign key in pg_constraint, as plain data.
struct Constraint {
    Oid oid;
    NameData name;
    Oid child;
    Oid parent;
    Oid index;
    bool inherited;
    bool over_periods;
    char on_delete;
    bool match_full;
    int count;
    int cleared_count; // zero: SET NULL sets all columns
    std::array<AttrNumber, INDEX_MAX_KEYS> columns;
    std::array<AttrNumber, INDEX_MAX_KEYS> parent_columns;
    std::array<Oid, INDEX_MAX_KEYS> equals;
    std::array<Oid, INDEX_MAX_KEYS> parent_equals;
    std::array<AttrNumber, INDEX_MAX_KEYS> cleared;
};

/// Copy a constraint's row; a Postgres call.
Constraint *copy_constraint(HeapTuple tuple) {
    auto *row = reinterpret_cast<Form_pg_constraint>(GETSTRUCT(tuple));
    auto *copy = static_cast<Constraint *>(palloc0(sizeof(Constraint)));
    copy->oid = row->oid;
    copy->name = row->conname;
    copy->child = row->conrelid;
    copy->parent = row->confrelid;
    copy->index = row->conindid;
    copy->inherited = OidIsValid(row->conparentid);
    copy->over_periods = refers_to_periods(row);
    copy->on_delete = row->confdeltype;
    copy->match_full = row->confmatchtype == FKCONSTR_MATCH_FULL;
    DeconstructFkConstraintRow(tuple, &copy->count, copy->columns.data(), copy->parent_columns.data(),
                               copy->equals.data(), copy->parent_equals.data(), nullptr, &copy->cleared_count,
                               copy->cleared.data());
    return copy;
}

bool is_among(Oid relation, std::span<const Oid> sorted) {
    return std::binary_search(sorted.begin(), sorted.end(), relation);
}

/// Whether to list a foreign key: one of the child that a path can use, otherwise one from or to these relations.
bool is_wanted(Form_pg_constraint row, bool by_child, std::span<const Oid> either) {
    if (row->contype != CONSTRAINT_FOREIGN || !is_enforced(row))
        return false;
    return by_child ? !refers_to_periods(row) : is_among(row->conrelid, either) || is_among(row->confrelid, either);
}

/// List the foreign keys of a child; without a child, those from or to any of these sorted relations. A Postgres call.
List *scan_constraints(Oid child, std::span<const Oid> either) {
    List *found = NIL;
    Relation constraints = table_open(ConstraintRelationId, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(child));
    bool by_child = OidIsValid(child);
    SysScanDesc scan = systable_beginscan(constraints, by_child ? ConstraintRelidTypidNameIndexId : InvalidOid,
                                          by_child, nullptr, by_child ? 1 : 0, &key);
    while (HeapTuple tuple = systable_getnext(scan)) {
        if (is_wanted(reinterpret_cast<Form_pg_constraint>(GETSTRUCT(tuple)), by_child, either))
            found = lappend(found, copy_constraint(tuple));
    }
    systable_endscan(scan);
    table_close(constraints, AccessShareLock);
    return found;
}

ForeignKey::OnDelete on_delete(const Constraint &constraint) {
    switch (constraint.on_delete) {
    case FKCONSTR_ACTION_CASCADE:
        return ForeignKey::OnDelete::cascade;
    case FKCONSTR_ACTION_SETNULL:
        return ForeignKey::OnDelete::set_null;
    case FKCONSTR_ACTION_SETDEFAULT:
        return ForeignKey::OnDelete::set_default;
    default:
        return ForeignKey::OnDelete::keep;
    }
}

/// Whether ON DELETE SET NULL sets this column: it lists the column, or no columns.
bool is_nulled(const Constraint &constraint, AttrNumber column) {
    const AttrNumber *end = constraint.cleared.data() + constraint.cleared_count;
    return constraint.on_delete == FKCONSTR_ACTION_SETNULL &&
           (constraint.cleared_count == 0 || std::find(constraint.cleared.data(), end, column) != end);
}

ForeignKey::Pair read_pair(const Constraint &constraint, int i) {
    AttrNumber column = constraint.columns[i];
    AttrNumber parent_column = constraint.parent_columns[i];
    return {call([&] { return get_attname(constraint.child, column, false); }),
            call([&] { return get_attname(constraint.parent, parent_column, false); }),
            call([&] { return get_atttype(constraint.child, column); }),
            call([&] { return get_atttype(constraint.parent, parent_column); }),
            constraint.equals[i],
            constraint.parent_equals[i],
            call([&] {
                HeapTuple tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(constraint.child), Int16GetDatum(column));
                bool nullable = !reinterpret_cast<Form_pg_attribute>(GETSTRUCT(tuple))->attnotnull;
                ReleaseSysCache(tuple);
                return nullable;
            }),
            is_nulled(constraint, column)};
}

std::vector<Constraint> constraints(Oid child, std::span<const Oid> either) {
    const List *list = call([&] { return scan_constraints(child, either); });
    std::vector<Constraint> found;
    for (int i = 0; i < list_length(list); i++)
        found.push_back(*static_cast<Constraint *>(list_nth(list, i)));
    return found;
}

std::vector<ForeignKey> foreign_keys(std::span<const Constraint> constraints) {
    std::vector<ForeignKey> keys;
    for (const Constraint &constraint : constraints) {
        keys.push_back({NameStr(constraint.name),
                        constraint.child,
                        constraint.parent,
                        constraint.child,
                        constraint.parent,
                        constraint.index,
                        {},
                        on_delete(constraint),
                        constraint.match_full});
        for (int i = 0; i < constraint.count; i++)
            keys.back().pairs.push_back(read_pair(constraint, i));
    }
    return keys;
}

/// Refuse temporal foreign keys: no single parent row satisfies them.
void refuse_periods(const std::vector<Constraint> &constraints) {
    for (const Constraint &constraint : constraints)
        if (constraint.over_periods)
            throw Error(sqlstate::feature_not_supported, "foreign key " + quote_name(NameStr(constraint.name)) +
                                                             " of " + qualified_name(constraint.child) + " is temporal")
                .with_hint("A restore cannot determine whether other rows cover the period. Drop the foreign key.");
}

/// These tables and their partitions, sorted.
std::vector<Oid> with_partitions(std::span<const Oid> tables) {
    std::vector<Oid> all;
    for (Oid table : tables) {
        const List *members = call([&] {
            bool partitioned = get_rel_relkind(table) == RELKIND_PARTITIONED_TABLE;
            return partitioned ? find_all_inheritors(table, NoLock, nullptr) : list_make1_oid(table);
        });
        for (int i = 0; i < list_length(members); i++)
            all.push_back(list_nth_oid(members, i));
    }
    std::sort(all.begin(), all.end());
    return all;
}

/// The root of a partition; any other relation itself.
Oid table_of(Oid relation) {
    return call(
        [&] { return get_rel_relispartition(relation) ? llast_oid(get_partition_ancestors(relation)) : relation; });
}

/// Whether a partition key contains an expression, which may be user code.
bool is_placed_by_expression(Oid partition) {
    return call([&] {
        bool found = false;
        ListCell *cell;
        foreach (cell, get_partition_ancestors(partition)) {
            Relation ancestor = table_open(lfirst_oid(cell), AccessShareLock);
            found = found || RelationGetPartitionKey(ancestor)->partexprs != NIL;
            table_close(ancestor, NoLock);
        }
        return found;
    });
}

/// Treat a foreign key from or to a partition as one of the table that applies to part of its rows.
void lift_to_tables(ForeignKey &key) {
    for (auto [part, table] : {std::pair(key.child_part, &key.child), std::pair(key.parent_part, &key.parent)}) {
        *table = table_of(part);
        if (*table != part && is_placed_by_expression(part))
            throw Error(sqlstate::feature_not_supported,
                        "foreign key " + quote_name(key.name) + " of " + qualified_name(key.child_part) +
                            " involves partition " + qualified_name(part) + ", whose partition key is an expression")
                .with_hint("Declare the foreign key on the partitioned tables instead, or drop it.");
    }
}

void leave_out_inherited(std::vector<Constraint> &constraints) {
    std::erase_if(constraints, [](const Constraint &constraint) { return constraint.inherited; });
}

/// "left OPERATOR(schema.op) right" with exactly this operator; operands are cast to its input types if necessary.
std::string operator_clause(const std::string &left, Oid left_type, Oid op, const std::string &right, Oid right_type) {
    return call([&] {
        StringInfoData text;
        initStringInfo(&text);
        generate_operator_clause(&text, left.c_str(), left_type, op, right.c_str(), right_type);
        return text.data;
    });
}

void add_and(std::string &conditions, const std::string &condition) {
    conditions += (conditions.empty() ? "" : " AND ") + condition;
}

std::string column(const std::string &alias, const std::string &name) {
    return alias + "." + quote_name(name);
}

/// " AND (…)": the condition that a table's row, by its alias or by bare column names, belongs to this partition; empty
/// if `part` is the table itself.
std::string belongs(Oid table, Oid part, const std::string &alias) {
    if (table == part)
        return "";
    return call([&]() -> const char * {
        auto *condition = reinterpret_cast<Node *>(get_partition_qual_relid(part));
        List *names = deparse_context_for(alias.empty() ? get_rel_name(part) : alias.c_str(), part);
        return condition ? psprintf(" AND (%s)", deparse_expression(condition, names, !alias.empty(), false)) : "";
    });
}

} // namespace

ForeignKey ForeignKey::of_parts() const {
    ForeignKey key = *this;
    key.child = child_part;
    key.parent = parent_part;
    return key;
}

std::string ForeignKey::parent_belongs(const std::string &alias) const {
    return belongs(parent, parent_part, alias);
}

std::string ForeignKey::child_belongs(const std::string &alias) const {
    return belongs(child, child_part, alias);
}

std::string ForeignKey::refers(const std::string &parent_alias, const std::string &child_alias) const {
    std::string condition;
    for (const Pair &pair : pairs)
        add_and(condition,
                refers(pair, column(parent_alias, pair.parent_column), column(child_alias, pair.child_column)));
    return condition + parent_belongs(parent_alias) + child_belongs(child_alias);
}

std::string ForeignKey::refers(const Pair &pair, const std::string &parent_value,
                               const std::string &child_value) const {
    return operator_clause(parent_value, pair.parent_type, pair.equals, child_value, pair.child_type);
}

std::string ForeignKey::refers_by_parameters(const std::string &parent_alias) const {
    std::string condition;
    for (std::size_t i = 0; i < pairs.size(); i++)
        add_and(condition, operator_clause(column(parent_alias, pairs[i].parent_column), pairs[i].parent_type,
                                           pairs[i].equals, "$" + std::to_string(i + 1), pairs[i].child_type));
    return condition;
}

std::string ForeignKey::same_parent(const std::string &a, const std::string &b) const {
    std::string condition;
    for (const Pair &pair : pairs)
        add_and(condition, operator_clause(column(a, pair.parent_column), pair.parent_type, pair.parent_equals,
                                           column(b, pair.parent_column), pair.parent_type));
    return condition + parent_belongs(a);
}

std::string ForeignKey::refers_at_all(const std::string &child_alias) const {
    std::string condition;
    for (const Pair &pair : pairs)
        add_and(condition, column(child_alias, pair.child_column) + " IS NOT NULL");
    return condition + child_belongs(child_alias);
}

ReadableRelation readable(Oid relation) {
    std::string name = qualified_name(relation); // raises an error if it was dropped
    bool partitioned = false;
    Oid owner = call([&] {
        HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
        auto *row = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
        partitioned = row->relkind == RELKIND_PARTITIONED_TABLE;
        Oid found = row->relowner;
        ReleaseSysCache(tuple);
        return found;
    });
    return {partitioned ? name : "ONLY " + name, owner};
}

std::vector<ForeignKey> foreign_keys_of(std::span<const Oid> relations) {
    std::vector<Constraint> found = constraints(InvalidOid, with_partitions(relations));
    leave_out_inherited(found);
    refuse_periods(found);
    std::sort(found.begin(), found.end(), [](const Constraint &a, const Constraint &b) { return a.oid < b.oid; });
    std::vector<ForeignKey> keys = foreign_keys(found);
    std::ranges::for_each(keys, lift_to_tables);
    return keys;
}

std::vector<ForeignKey> foreign_keys_from(Oid child) {
    std::vector<Constraint> found = constraints(child, {}); // in index order: by name
    leave_out_inherited(found);
    return foreign_keys(found);
}

std::optional<ForeignKey> find_foreign_key(Oid child, const std::string &name) {
    for (const Constraint &constraint : constraints(child, {}))
        if (name == NameStr(constraint.name))
            return std::move(foreign_keys(std::span(&constraint, 1)).front());
    return std::nullopt;
}

} // namespace snapback

using namespace snapback;

SNAPBACK_FUNCTION(snapback_foreign_keys_from) {
    ResultSet result(fcinfo);
    for (const ForeignKey &key : foreign_keys_from(PG_GETARG_OID(0))) {
        std::vector<std::string> columns;
        std::vector<std::string> parent_columns;
        bool mandatory = true;
        for (const ForeignKey::Pair &pair : key.pairs) {
            columns.push_back(pair.child_column);
            parent_columns.push_back(pair.parent_column);
            mandatory = mandatory && !pair.child_nullable;
        }
        result.add({Value::text(key.name), Value::regclass(key.parent), Value::text_array(columns),
                    Value::text_array(parent_columns), Value::boolean(mandatory)});
    }
    return Datum(0);
}
