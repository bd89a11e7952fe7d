// Speed of the tokenizer on one thread: tokenizer_bench VOCAB TEXT [--cased] [--recipe]
// [--offsets]. The text is encoded line by line, as data preparation does. The best of several
// passes counts.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "io/atomic_file.h"
#include "text/tokenizer.h"

namespace {

using bertha::text::Tokenizer;
using bertha::text::TokenizerOptions;
using bertha::text::TokenOffset;
using bertha::text::TokenRules;
using bertha::text::Vocabulary;

constexpr int kPasses = 7;

double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t size = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, size));
    text.remove_prefix(std::min(size + 1, text.size()));
  }
  return lines;
}

void measure(const Tokenizer& tokenizer, std::string_view text, bool with_offsets) {
  const std::vector<std::string_view> lines = lines_of(text);
  std::vector<int32_t> ids;
  std::vector<TokenOffset> offsets;
  double best_seconds = 1e30;
  size_t tokens = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    const double start = thread_seconds();
    tokens = 0;
    for (const std::string_view line : lines) {
      ids.clear();
      offsets.clear();
      if (with_offsets) {
        tokenizer.encode(line, ids, offsets);
      } else {
        tokenizer.encode(line, ids);
      }
      tokens += ids.size();
    }
    best_seconds = std::min(best_seconds, thread_seconds() - start);
  }
  fmt::print("{:.1f} MB, {} tokens: {:.1f} MB/s, {:.1f} M tokens/s\n",
             static_cast<double>(text.size()) / 1e6, tokens,
             static_cast<double>(text.size()) / 1e6 / best_seconds,
             static_cast<double>(tokens) / 1e6 / best_seconds);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() < 2)
      bertha::fail("usage: tokenizer_bench VOCAB TEXT [--cased] [--recipe] [--offsets]");
    const auto given = [&](const char* option) {
      return std::find(words.begin() + 2, words.end(), option) != words.end();
    };
    const Vocabulary vocabulary = Vocabulary::load(words[0]);
    const TokenRules rules = given("--recipe") ? TokenRules::kRecipe : TokenRules::kHf;
    const Tokenizer tokenizer(vocabulary, {.lower_case = !given("--cased"), .rules = rules});
    const bertha::io::MappedFile text(words[1]);
    measure(tokenizer, text.text(), given("--offsets"));
  } catch (const std::exception& error) {
    fmt::print(stderr, "tokenizer_bench: {}\n", error.what());
    return 1;
  }
  return 0;
}
