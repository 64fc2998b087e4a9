#pragma once
// Domains anywhere in a type: the type itself, array elements, composite attributes, range subtypes.
#include <vector>

#include "postgres/error/boundary.hpp"

namespace snapback {

/// Whether a type is or contains a domain. A Postgres call.
bool contains_domain(Oid type);

/// The domains in a type, outer ones first.
std::vector<Oid> domains_in(Oid type);

/// Applies the checks of a type's domains to its values.
class DomainCheck {
public:
    explicit DomainCheck(Oid type);
    ~DomainCheck();
    DomainCheck(const DomainCheck &) = delete;
    DomainCheck &operator=(const DomainCheck &) = delete;
    /// Raise 23514 or 23502 if a domain rejects the value.
    void operator()(Datum value, bool null);

private:
    Oid type_;
    bool is_domain_;
    bool has_inner_domain_; // checked only by the type's input function
    MemoryContext memory_;
    void *cache_ = nullptr; // of domain_check()
    MemoryContext row_memory_;
    FmgrInfo input_;
    FmgrInfo output_;
    Oid parameter_;
};

} // namespace snapback
