#include "cli/score_tables.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

namespace bertha::cli {
namespace {

constexpr size_t kMostColumns = 10;
constexpr size_t kMostMistakes = 10;
constexpr size_t kNameWidth = 16;
constexpr size_t kColumnWidth = 10;

struct Mistake {
  size_t truth, predicted;
  int64_t rows;
};

void print_mistakes(std::span<const std::string> names, std::span<const int64_t> confusion) {
  std::vector<Mistake> mistakes;
  for (size_t i = 0; i < confusion.size(); ++i) {
    const Mistake mistake = {i / names.size(), i % names.size(), confusion[i]};
    if (mistake.truth != mistake.predicted && mistake.rows > 0) mistakes.push_back(mistake);
  }
  std::stable_sort(mistakes.begin(), mistakes.end(),
                   [](const Mistake& a, const Mistake& b) { return a.rows > b.rows; });
  fmt::print("commonest mistakes ({} of {})\n", std::min(mistakes.size(), kMostMistakes),
             mistakes.size());
  fmt::print("{:<{}} {:<{}} {:>6}\n", "true", kNameWidth, "predicted", kNameWidth, "rows");
  mistakes.resize(std::min(mistakes.size(), kMostMistakes));
  for (const Mistake& mistake : mistakes) {
    fmt::print("{:<{}} {:<{}} {:>6}\n", names[mistake.truth], kNameWidth, names[mistake.predicted],
               kNameWidth, mistake.rows);
  }
}

}  // namespace

void print_scores(const char* kind, const char* counted, std::span<const tasks::HitCounts> rows,
                  const tasks::HitCounts& all) {
  const auto row = [](const tasks::HitCounts& counts, const std::string& name) {
    fmt::print("{:<{}} {:>9.4f} {:>9.4f} {:>9.4f} {:>9}\n", name, kNameWidth, counts.precision(),
               counts.recall(), counts.f1(), counts.truth);
  };
  fmt::print("{:<{}} {:>9} {:>9} {:>9} {:>9}\n", kind, kNameWidth, "precision", "recall", "F1",
             counted);
  for (const tasks::HitCounts& counts : rows) row(counts, counts.name);
  row(all, "all");
}

void print_confusion(std::span<const std::string> names, std::span<const int64_t> confusion) {
  if (names.size() > kMostColumns) return print_mistakes(names, confusion);
  fmt::print("{:<{}}", "true \\ predicted", kNameWidth);
  for (const std::string& name : names) fmt::print(" {:>{}.{}}", name, kColumnWidth, kColumnWidth);
  for (size_t i = 0; i < confusion.size(); ++i) {
    if (i % names.size() == 0) fmt::print("\n{:<{}}", names[i / names.size()], kNameWidth);
    fmt::print(" {:>{}}", confusion[i], kColumnWidth);
  }
  fmt::print("\n");
}

}  // namespace bertha::cli
