#include "infer/pipeline_answer.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "text/tokenizer_settings.h"

namespace bertha::infer {
namespace {

/// Probabilities of the first token of a window, which stands for "no answer", and of the tokens of
/// the passage; the question takes no part.
struct Probabilities {
  double none = 0;
  std::vector<double> tokens{};
};

/// `logits` are [n,2]; `column` is 0 for starts and 1 for ends.
Probabilities softmax(std::span<const float> logits, size_t column, int64_t lead, int64_t count) {
  const auto logit = [&](int64_t position) {
    return double{logits[2 * static_cast<size_t>(position) + column]};
  };
  double largest = logit(0);
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, logit(lead + i));
  Probabilities result = {.none = std::exp(logit(0) - largest)};
  double sum = result.none;
  for (int64_t i = 0; i < count; ++i) {
    result.tokens.push_back(std::exp(logit(lead + i) - largest));
    sum += result.tokens.back();
  }
  result.none /= sum;
  for (double& value : result.tokens) value /= sum;
  return result;
}

/// Tokens of the template before those of the second text.
int64_t lead_of(const text::Tokenizer& tokenizer, int64_t question_tokens) {
  using Kind = text::TemplatePart::Kind;
  int64_t lead = 0;
  for (const text::TemplatePart& part : tokenizer.settings().sequence.pair) {
    if (part.kind == Kind::kSecond) break;
    lead += part.kind == Kind::kFirst ? question_tokens : std::ssize(part.ids);
  }
  return lead;
}

text::EncodedText slice(const text::EncodedText& tokens, int64_t begin, int64_t end) {
  return {.ids = {tokens.ids.begin() + begin, tokens.ids.begin() + end}};
}

/// A range of tokens and its probability.
struct TokenSpan {
  double score = 0;
  int64_t start = 0;
  int64_t end = 0;
};

/// The `top` most probable spans; of equals the first.
std::vector<TokenSpan> best_spans(const Probabilities& starts, const Probabilities& ends,
                                  int64_t max_tokens, int64_t top) {
  const auto worse = [](const TokenSpan& a, const TokenSpan& b) {
    if (a.score != b.score) return a.score > b.score;
    return a.start != b.start ? a.start < b.start : a.end < b.end;
  };
  std::vector<TokenSpan> heap;  // the worst first
  const int64_t count = std::ssize(starts.tokens);
  for (int64_t start = 0; start < count; ++start) {
    for (int64_t end = start; end < std::min(count, start + max_tokens); ++end) {
      const TokenSpan span = {
          starts.tokens[static_cast<size_t>(start)] * ends.tokens[static_cast<size_t>(end)], start,
          end};
      if (!(span.score > 0)) continue;
      if (std::ssize(heap) == top) {
        if (!worse(span, heap.front())) continue;
        std::ranges::pop_heap(heap, worse);
        heap.pop_back();
      }
      heap.push_back(span);
      std::ranges::push_heap(heap, worse);
    }
  }
  std::ranges::sort(heap, worse);
  return heap;
}

}  // namespace

PipelineAnswerJob::PipelineAnswerJob(std::string_view question, std::string_view passage,
                                     const text::Tokenizer& tokenizer,
                                     const PipelineAnswerSettings& settings)
    : settings_(settings) {
  text::EncodedText asked;
  tokenizer.encode(question, asked.ids);
  tokenizer.encode(passage, passage_.ids, passage_.offsets);
  const std::string& prefix = tokenizer.settings().continuing_prefix;
  for (const int32_t id : passage_.ids) {
    const bool continues = !prefix.empty() && tokenizer.vocabulary().piece(id).starts_with(prefix);
    continues_.push_back(continues ? 1 : 0);
  }
  tokens_.clear();
  cut(asked, tokenizer);
}

void PipelineAnswerJob::cut(const text::EncodedText& question, const text::Tokenizer& tokenizer) {
  const int64_t special = tokenizer.settings().sequence.special_tokens(true);
  text::EncodedText asked = question;
  if (std::ssize(asked.ids) + special + settings_.overlap >= settings_.window_tokens &&
      std::ssize(asked.ids) > settings_.max_question_tokens) {
    asked.ids.resize(static_cast<size_t>(settings_.max_question_tokens));
  }
  const int64_t room = settings_.window_tokens - std::ssize(asked.ids) - special;
  const int64_t count = std::ssize(passage_.ids);
  if (room < 1 || (count > room && room <= settings_.overlap)) {
    fail("windows of {} tokens leave {} for the passage, which must be more than the overlap of {}",
         settings_.window_tokens, std::max<int64_t>(room, 0), settings_.overlap);
  }
  lead_ = lead_of(tokenizer, std::ssize(asked.ids));
  for (int64_t begin = 0;; begin += room - settings_.overlap) {
    const int64_t end = std::min(begin + room, count);
    if (std::ssize(windows_) == settings_.max_windows) {
      fail("the passage needs more than {} windows", settings_.max_windows);
    }
    const text::EncodedText part = slice(passage_, begin, end);
    text::append(text::with_special_tokens(tokenizer, asked, &part), tokens_);
    windows_.push_back({.begin = begin, .end = end});
    if (end == count) return;
  }
}

void PipelineAnswerJob::take(int64_t window, std::span<const float> result) {
  Window& to = windows_[static_cast<size_t>(window)];
  const Probabilities starts = softmax(result, 0, lead_, to.end - to.begin);
  const Probabilities ends = softmax(result, 1, lead_, to.end - to.begin);
  to.no_answer = starts.none * ends.none;
  to.best.clear();
  for (const TokenSpan& span :
       best_spans(starts, ends, settings_.max_answer_tokens, settings_.top)) {
    to.best.push_back(place_of(to, span.score, to.begin + span.start, to.begin + span.end));
  }
}

SpanAnswer PipelineAnswerJob::place_of(const Window& window, double score, int64_t start,
                                       int64_t end) const {
  if (settings_.align_to_words) {
    while (start > window.begin && continues_[static_cast<size_t>(start)] != 0) --start;
    while (end + 1 < window.end && continues_[static_cast<size_t>(end + 1)] != 0) ++end;
  }
  return {.score = score,
          .begin = passage_.offsets[static_cast<size_t>(start)].begin,
          .end = passage_.offsets[static_cast<size_t>(end)].end};
}

std::vector<SpanAnswer> PipelineAnswerJob::results() const {
  std::vector<SpanAnswer> all;
  double none = 1e6;  // as there: the least over all windows
  for (const Window& window : windows_) {
    all.insert(all.end(), window.best.begin(), window.best.end());
    none = std::min(none, window.no_answer);
  }
  if (settings_.no_answer) all.push_back({.score = none});
  if (all.empty()) all.emplace_back();
  std::ranges::stable_sort(all, std::ranges::greater{}, &SpanAnswer::score);
  if (std::ssize(all) > settings_.top) all.resize(static_cast<size_t>(settings_.top));
  return all;
}

}  // namespace bertha::infer
