#include "text/word_counting.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/parallel_for.h"

namespace bertha::text {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 26;
constexpr size_t kMaxLineBytes = size_t{1} << 30;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

/// Counts words on all threads; each thread has its own counts.
class ParallelCounts {
 public:
  ParallelCounts(bool lower_case, TokenRules rules)
      : counts_(static_cast<size_t>(thread_count()), WordCounts(lower_case, rules)) {}

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
    const auto count = static_cast<int64_t>(slices.size());
    parallel_ranges(count, 1, [&](int64_t begin, int64_t end, int thread) {
      for (int64_t i = begin; i < end; ++i) {
        counts_[static_cast<size_t>(thread)].add(slices[static_cast<size_t>(i)]);
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

/// Reads the file in blocks that end with a line.
void count_file(const std::string& path, ParallelCounts& counts) {
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) fail("{}: {}", path, std::strerror(errno));
  std::string block;
  for (;;) {
    const size_t kept = block.size();
    block.resize(kept + kBlockBytes);
    const size_t count = std::fread(block.data() + kept, 1, kBlockBytes, file.get());
    block.resize(kept + count);
    if (std::ferror(file.get()) != 0) fail("{}: {}", path, std::strerror(errno));
    if (count == 0) break;
    const size_t newline = block.rfind('\n');
    if (newline != std::string::npos) {
      counts.add(std::string_view(block).substr(0, newline + 1));
      block.erase(0, newline + 1);
    } else if (block.size() > kMaxLineBytes) {
      fail("{}: a line of over {} bytes; expected lines of text", path, kMaxLineBytes);
    }
  }
  counts.add(block);
}

}  // namespace

WordCounts count_words(std::span<const std::string> files, bool lower_case, TokenRules rules) {
  ParallelCounts counts(lower_case, rules);
  for (const std::string& file : files) count_file(file, counts);
  return std::move(counts).sum();
}

}  // namespace bertha::text
