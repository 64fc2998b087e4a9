#pragma once
#include "catalog/relation_shape.hpp"

namespace snapback {

/// Maps stored labels of an enum to their current names.
class RenamedLabels {
public:
    RenamedLabels() = default;
    /// `seen` is the number of the last rename before the labels were stored.
    RenamedLabels(const LabelledColumn &column, std::int64_t seen) : form_(column.form), seen_(seen) {
        for (const Renames &step : column.renames)
            if (step.number > seen)
                renames_.push_back(step);
    }

    bool empty() const { return renames_.empty(); }
    const std::vector<Renames> &renames() const { return renames_; }
    /// Whether a stored label, if not mapped, would be read as a different one of these labels.
    bool would_mislead(const std::vector<std::string> &labels) const;
    /// A stored text with current label names; allocates in this memory context. Throws Error (SB009) for a label that
    /// was replaced. Nested labels (in composite values or ranges) are not changed.
    std::string now(const std::string &text, MemoryContext memory) const;

private:
    std::string label_now(const std::string &label) const;

    LabelForm form_ = LabelForm::value;
    std::int64_t seen_ = 0;
    std::vector<Renames> renames_;
};

} // namespace snapback
