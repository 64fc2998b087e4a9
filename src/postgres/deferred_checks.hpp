#pragma once
// CHECK constraints that one statement does not evaluate, since they are to be checked once all statements have run.
// Postgres has no deferrable CHECK; this leaves their expressions out of the executor's list for that statement alone.
#include <map>
#include <string>
#include <vector>

#include "postgres/boundary.hpp"

namespace snapback {

/// Names of CHECK constraints, by the relation that has them.
using ChecksByRelation = std::map<Oid, std::vector<std::string>>;

/// While in scope, the next statement that writes to one of these relations does not evaluate these constraints of
/// them; no other statement is concerned, such as one of a function that it calls. Whoever uses it must check them
/// afterwards.
class DeferredChecks {
public:
    explicit DeferredChecks(const ChecksByRelation &checks);
    ~DeferredChecks();
    DeferredChecks(const DeferredChecks &) = delete;
    DeferredChecks &operator=(const DeferredChecks &) = delete;

    /// Be told of statements that begin; once for each process.
    static void watch_statements();
};

} // namespace snapback
