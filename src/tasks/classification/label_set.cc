#include "tasks/classification/label_set.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "core/counted.h"
#include "core/error.h"

namespace bertha::tasks {

std::optional<double> number_of(const std::string& text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, bad] = std::from_chars(text.data(), end, number);
  const bool whole = bad == std::errc() && rest == end && std::isfinite(number);
  return whole ? std::optional(number) : std::nullopt;
}

bool suggests_regression(std::span<const LabelledText> rows) {
  bool fraction = false;
  for (const LabelledText& row : rows) {
    if (!number_of(row.label)) return false;
    fraction = fraction || row.label.find_first_of(".eE") != std::string::npos;
  }
  return fraction;
}

bool suggests_several_labels(std::span<const LabelledText> rows) {
  return std::any_of(rows.begin(), rows.end(),
                     [](const LabelledText& row) { return row.labels.has_value(); });
}

LabelSet::LabelSet(std::vector<std::string> names, const std::string& source, int64_t least)
    : names_(std::move(names)) {
  constexpr int64_t kMaxClasses = 1000;
  if (std::ssize(names_) < least || std::ssize(names_) > kMaxClasses) {
    fail("{}: {}; expected {} to {}", source, counted(std::ssize(names_), "different label"), least,
         kMaxClasses);
  }
  for (const std::string& name : names_) {
    const std::optional<double> number = number_of(name);
    if (number) numbers_.push_back(*number);
  }
  if (numbers_.size() < names_.size()) numbers_.clear();
}

LabelSet LabelSet::of(const LabelledTexts& file) {
  std::set<std::string> names;
  for (const LabelledText& row : file.rows) names.insert(row.label);
  return {{names.begin(), names.end()}, file.path};
}

LabelSet LabelSet::of_several(const LabelledTexts& file) {
  if (!file.label_columns.empty()) return {file.label_columns, file.path, 1};
  std::set<std::string> names;
  for (const LabelledText& row : file.rows) {
    if (row.labels) names.insert(row.labels->begin(), row.labels->end());
  }
  return {{names.begin(), names.end()}, file.path, 1};
}

int32_t LabelSet::class_of(const std::string& label) const {
  const auto found = std::find(names_.begin(), names_.end(), label);
  if (found != names_.end()) return static_cast<int32_t>(found - names_.begin());
  const std::optional<double> number = number_of(label);
  if (!number) return -1;
  const auto equal = std::find(numbers_.begin(), numbers_.end(), *number);
  return equal == numbers_.end() ? -1 : static_cast<int32_t>(equal - numbers_.begin());
}

}  // namespace bertha::tasks
