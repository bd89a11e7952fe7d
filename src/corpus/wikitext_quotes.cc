#include "corpus/wikitext_quotes.h"

#include <algorithm>

#include "corpus/wikitext.h"

namespace bertha::corpus {
namespace {

constexpr auto kNone = std::string_view::npos;

/// Two apostrophes are italics, three bold, five both. Of other numbers the last ones count.
size_t marks_in(size_t apostrophes) {
  if (apostrophes == 4) return 3;
  return std::min<size_t>(apostrophes, 5);
}

}  // namespace

void QuoteRemover::find_runs(std::string_view line) {
  runs_.clear();
  for (size_t at = line.find("''"); at != kNone;) {
    const size_t end = std::min(line.find_first_not_of('\'', at), line.size());
    runs_.push_back({at, end - at, marks_in(end - at)});
    at = line.find("''", end);
  }
}

/// When the numbers of bold and of italic marks are both odd, one bold mark was an apostrophe and
/// an italic mark ("l'''Iliade''"). It is the one after a one-letter word, else the one after a
/// longer word, else the first one.
void QuoteRemover::balance(std::string_view line) {
  size_t bold = 0;
  size_t italic = 0;
  for (const Run& run : runs_) {
    if (run.marks == 2 || run.marks == 5) ++italic;
    if (run.marks == 3 || run.marks == 5) ++bold;
  }
  if (bold % 2 == 0 || italic % 2 == 0) return;
  Run* best = nullptr;
  int best_rank = 3;
  for (Run& run : runs_) {
    if (run.marks != 3) continue;
    const size_t begin = run.begin + run.length - 3;
    const char before = begin > 0 ? line[begin - 1] : '\0';
    const char second = begin > 1 ? line[begin - 2] : '\0';
    const int rank = before == ' ' ? 2 : second == ' ' ? 0 : 1;
    if (rank < best_rank) {
      best_rank = rank;
      best = &run;
    }
  }
  if (best != nullptr) best->marks = 2;
}

std::string_view QuoteRemover::remove(std::string_view line) {
  find_runs(line);
  if (runs_.empty()) return line;
  balance(line);
  unmarked_.clear();
  size_t at = 0;
  for (const Run& run : runs_) {
    unmarked_.append(line.substr(at, run.begin + run.length - run.marks - at));
    at = run.begin + run.length;
  }
  return unmarked_.append(line.substr(at));
}

std::string with_own_quotes(std::string text) {
  if (text.find('\'') == kNone) return text;
  QuoteRemover remover;
  std::string kept;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    kept += remover.remove(rest.substr(0, end));
    if (end < rest.size()) kept.push_back('\n');
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return without_marks(std::move(kept));
}

std::string without_marks(std::string text) {
  std::ranges::replace(text, '\'', kApostrophe);
  return text;
}

}  // namespace bertha::corpus
