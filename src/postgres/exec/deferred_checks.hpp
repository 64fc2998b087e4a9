#pragma once
// CHECK constraints that are deferred until all statements of a restore have run. PostgreSQL has no deferrable CHECK
// constraints; this module removes their expressions from the executor's list for one statement.
#include <map>
#include <string>
#include <vector>

#include "postgres/error/boundary.hpp"

namespace snapback {

/// Names of CHECK constraints by relation.
using ChecksByRelation = std::map<Oid, std::vector<std::string>>;

/// While in scope, the next statement that writes to one of these relations does not evaluate these constraints. Other
/// statements, such as those of called functions, evaluate all constraints. The caller must check the constraints
/// later.
class DeferredChecks {
public:
    explicit DeferredChecks(const ChecksByRelation &checks);
    ~DeferredChecks();
    DeferredChecks(const DeferredChecks &) = delete;
    DeferredChecks &operator=(const DeferredChecks &) = delete;

    /// Install the executor hook; called once per process.
    static void watch_statements();
};

} // namespace snapback
