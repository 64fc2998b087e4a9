#pragma once
#include "catalog/relation_shape.hpp"

namespace snapback {

/// Reads stored labels of an enum by what they are called now.
class RenamedLabels {
public:
    RenamedLabels() = default;
    /// `seen` is the number of the last renames that the stored labels are after.
    RenamedLabels(const LabelledColumn &column, std::int64_t seen) : form_(column.form), seen_(seen) {
        for (const Renames &step : column.renames)
            if (step.number > seen)
                renames_.push_back(step);
    }

    bool empty() const { return renames_.empty(); }
    const std::vector<Renames> &renames() const { return renames_; }
    /// Whether a stored label, taken as it is, would be read as another one of these.
    bool would_mislead(const std::vector<std::string> &labels) const;
    /// A stored text with its labels changed to their names now; works in this memory context. Throws Error (SB009) for
    /// a label that is gone. Labels inside a composite value or a range stay as they are.
    std::string now(const std::string &text, MemoryContext memory) const;

private:
    std::string label_now(const std::string &label) const;

    LabelForm form_ = LabelForm::value;
    std::int64_t seen_ = 0;
    std::vector<Renames> renames_;
};

} // namespace snapback
