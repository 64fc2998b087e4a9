#include "snapshot/renamed_labels.hpp"

#include <algorithm>

#include "postgres/spi/array_text.hpp"

namespace snapback {

bool RenamedLabels::would_mislead(const std::vector<std::string> &labels) const {
    for (const Renames &step : renames_)
        for (const std::string &label : step.from)
            if (follow_renames({label}, seen_, renames_).front() != label &&
                std::find(labels.begin(), labels.end(), label) != labels.end())
                return true;
    return false;
}

std::string RenamedLabels::label_now(const std::string &label) const {
    std::optional<std::string> now = follow_renames({label}, seen_, renames_).front();
    if (!now)
        throw Error(sqlstate::schema_changed, "enum label \"" + label + "\" now denotes a different value")
            .with_hint("Restore other options.");
    return *now;
}

std::string RenamedLabels::now(const std::string &text, MemoryContext memory) const {
    switch (form_) {
    case LabelForm::value:
        return label_now(text);
    case LabelForm::array:
        return map_array_text(text, memory, [this](const std::string &label) { return label_now(label); });
    default:
        return text;
    }
}

} // namespace snapback
