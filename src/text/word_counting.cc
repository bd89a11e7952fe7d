#include "text/word_counting.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "core/parallel_for.h"
#include "io/text_file.h"

namespace bertha::text {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 26;

/// Counts words on all threads, into as many separate counts.
class ParallelCounts {
 public:
  explicit ParallelCounts(const WordCounts& empty)
      : counts_(static_cast<size_t>(thread_count()), empty) {}

  /// Counts a text in slices that end with a line.
  void add(std::string_view text) {
    std::vector<std::string_view> slices;
    const size_t target = text.size() / counts_.size() + 1;
    while (!text.empty()) {
      const size_t newline = text.find('\n', std::min(target, text.size()) - 1);
      const size_t size = newline == std::string_view::npos ? text.size() : newline + 1;
      slices.push_back(text.substr(0, size));
      text.remove_prefix(size);
    }
    parallel_items(std::ssize(counts_), [&](int64_t own) {
      for (auto i = static_cast<size_t>(own); i < slices.size(); i += counts_.size()) {
        counts_[static_cast<size_t>(own)].add(slices[i]);
      }
    });
  }

  WordCounts sum() && {
    for (size_t i = 1; i < counts_.size(); ++i) counts_[0].add(counts_[i]);
    return std::move(counts_[0]);
  }

 private:
  std::vector<WordCounts> counts_;
};

void count_file(const std::string& path, ParallelCounts& counts) {
  io::TextBlocks blocks(path, kBlockBytes);
  for (std::string_view text = blocks.next(); !text.empty(); text = blocks.next()) {
    counts.add(text);
  }
}

}  // namespace

WordCounts count_words(std::span<const std::string> files, bool lower_case, TokenRules rules,
                       std::optional<bool> strip_accents) {
  ParallelCounts counts(WordCounts(lower_case, rules, strip_accents));
  for (const std::string& file : files) count_file(file, counts);
  return std::move(counts).sum();
}

}  // namespace bertha::text
