#include "core/nearest_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "core/strings.h"

namespace bertha {
namespace {

/// Number of insertions, deletions, replacements and exchanges of neighbours between two texts.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before_last;
  std::vector<size_t> last(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    std::vector<size_t> row = {i};
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row.push_back(std::min({replaced, last[j] + 1, row[j - 1] + 1}));
      const bool exchanged = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (exchanged) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = std::exchange(last, std::move(row));
  }
  return last.back();
}

bool contains_words(std::string_view name, std::string_view words) {
  return fmt::format("-{}-", name).find(fmt::format("-{}-", words)) != std::string::npos;
}

std::string initials(std::string_view name) {
  std::string letters;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '-' && (i == 0 || name[i - 1] == '-')) letters += name[i];
  }
  return letters;
}

}  // namespace

std::string kebab_case(std::string_view name) {
  std::string text(name);
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

std::string nearest_name(std::string_view typed, std::span<const std::string> names) {
  const std::string wanted = lower_ascii(kebab_case(typed));
  const size_t most_edits = std::max<size_t>(1, wanted.size() / 3);
  std::string best;
  size_t least = most_edits + 1;
  for (const std::string& name : names) {
    const size_t edits = edit_distance(wanted, name);
    if (edits >= least) continue;
    least = edits;
    best = name;
  }
  if (!best.empty() || wanted.size() < 2) return best;
  const auto found = std::ranges::find_if(names, [&](const std::string& name) {
    return contains_words(name, wanted) || initials(name) == wanted;
  });
  return found == names.end() ? "" : *found;
}

std::string suggestion(std::string_view typed, std::span<const std::string> names,
                       std::string_view prefix) {
  const std::string nearest = nearest_name(typed, names);
  return nearest.empty() ? "" : fmt::format("; did you mean {}{}?", prefix, nearest);
}

}  // namespace bertha
