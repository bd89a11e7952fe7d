#include "infer/pipeline_tag.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/utf8.h"
#include "infer/classify.h"
#include "text/piece_decoder.h"
#include "text/tokenizer_settings.h"

namespace bertha::infer {
namespace {

/// The label's type, and whether it begins a group: "B-PER" does. A label without a prefix counts
/// as one that continues.
std::pair<std::string_view, bool> type_of(std::string_view label) {
  const bool prefixed = label.starts_with("B-") || label.starts_with("I-");
  return {prefixed ? label.substr(2) : label, label.starts_with("B-")};
}

/// The type of a group: what follows the first hyphen of its first label.
std::string group_name(const std::string& label) {
  const size_t hyphen = label.find('-');
  return hyphen == std::string::npos ? label : label.substr(hyphen + 1);
}

/// What stands in the text where `tokens` have `unknown`, by its place. One walk over the text.
std::map<int64_t, std::string> words_at(std::string_view text, const text::EncodedText& tokens,
                                        int32_t unknown) {
  std::map<int64_t, std::string> words;
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  int64_t point = 0;
  const auto walk_to = [&](int64_t place) {
    for (; point < place && at < end; ++point) at += decode_utf8(at, end).length;
    return at;
  };
  for (size_t i = 0; i < tokens.ids.size(); ++i) {
    if (tokens.ids[i] != unknown) continue;
    const char* const begin = walk_to(tokens.offsets[i].begin);
    words[tokens.offsets[i].begin] = std::string(begin, walk_to(tokens.offsets[i].end));
  }
  return words;
}

text::EncodedText slice(const text::EncodedText& tokens, int64_t begin, int64_t end) {
  return {.ids = {tokens.ids.begin() + begin, tokens.ids.begin() + end},
          .offsets = {tokens.offsets.begin() + begin, tokens.offsets.begin() + end}};
}

int64_t largest(std::span<const double> scores) {
  return std::ranges::max_element(scores) - scores.begin();
}

/// The scores of a word by those of its tokens.
std::vector<double> mean(std::span<const std::vector<double>> scores) {
  std::vector<double> sum(scores[0].size(), 0);
  for (const std::vector<double>& one : scores) {
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += one[i];
  }
  for (double& value : sum) value /= static_cast<double>(scores.size());
  return sum;
}

/// Of spans that overlap, which only those of two windows do, the longest; of equals the one with
/// the largest score.
std::vector<TaggedSpan> without_overlaps(std::vector<TaggedSpan> spans) {
  std::ranges::stable_sort(spans, std::ranges::less{}, &TaggedSpan::begin);
  std::vector<TaggedSpan> kept;
  for (TaggedSpan& span : spans) {
    if (kept.empty() || span.begin >= kept.back().end) {
      kept.push_back(std::move(span));
      continue;
    }
    const TaggedSpan& before = kept.back();
    const auto rank = [](const TaggedSpan& of) { return std::pair(of.end - of.begin, of.score); };
    if (rank(span) > rank(before)) kept.back() = std::move(span);
  }
  return kept;
}

}  // namespace

PipelineTagJob::PipelineTagJob(std::span<const std::string> texts, const text::Tokenizer& tokenizer,
                               std::span<const std::string> labels, PipelineTagSettings settings)
    : tokenizer_(tokenizer), labels_(labels), settings_(std::move(settings)) {
  if (settings_.overlap && settings_.aggregation == TagAggregation::kNone) {
    fail("a stride needs an aggregation strategy other than \"none\"");
  }
  tokens_.clear();
  for (size_t i = 0; i < texts.size(); ++i) add_windows(i, texts[i]);
}

void PipelineTagJob::add_windows(size_t index, std::string_view text) {
  text::EncodedText whole;
  tokenizer_.encode(text, whole.ids, whole.offsets);
  unknown_.push_back(words_at(text, whole, tokenizer_.specials().unk));
  if (!settings_.overlap) {
    return add_window(index, text::fitted_input(tokenizer_, std::move(whole), std::nullopt,
                                                settings_.window_tokens));
  }
  const int64_t overlap = *settings_.overlap;
  const int64_t special = tokenizer_.settings().sequence.special_tokens(false);
  const int64_t room = settings_.window_tokens - special;
  if (room <= overlap) {
    fail("windows of {} tokens have room for {}, which must be more than the stride of {}",
         settings_.window_tokens, std::max<int64_t>(room, 0), overlap);
  }
  const int64_t count = std::ssize(whole.ids);
  for (int64_t begin = 0;; begin += room - overlap) {
    const int64_t end = std::min(begin + room, count);
    add_window(index, text::with_special_tokens(tokenizer_, slice(whole, begin, end), nullptr));
    if (end == count) return;
  }
}

void PipelineTagJob::add_window(size_t index, text::ModelInput input) {
  if (std::ssize(windows_) == settings_.max_windows) {
    fail("the texts need more than {} windows", settings_.max_windows);
  }
  cut_texts_ += input.cut ? 1 : 0;
  text::append(input, tokens_);
  windows_.push_back(
      {.text = index, .ids = std::move(input.ids), .offsets = std::move(input.offsets)});
}

std::vector<PipelineTagJob::ScoredToken> PipelineTagJob::tokens_of(
    const Window& window, std::span<const float> logits) const {
  const size_t classes = logits.size() / window.ids.size();
  BERTHA_CHECK(classes == labels_.size());
  std::vector<ScoredToken> tokens;
  for (size_t i = 0; i < window.ids.size(); ++i) {
    const text::TokenOffset place = window.offsets[i];
    if (place.begin == place.end) continue;  // a special token
    ScoredToken& token = tokens.emplace_back();
    token.place = place;
    token.index = static_cast<int64_t>(i);
    token.scores = softmax(logits.subspan(i * classes, classes));
    if (window.ids[i] == tokenizer_.specials().unk) {
      token.word = unknown_[window.text].at(place.begin);
    } else {
      token.word = tokenizer_.vocabulary().piece(window.ids[i]);
      // As there: a piece that is longer or shorter than its text continues a word.
      token.continues = count_code_points(token.word) != place.end - place.begin;
    }
  }
  return tokens;
}

TaggedSpan PipelineTagJob::labelled(const ScoredToken& token) const {
  const auto best = static_cast<size_t>(largest(token.scores));
  return {.label = labels_[best],
          .score = token.scores[best],
          .word = token.word,
          .index = token.index,
          .begin = token.place.begin,
          .end = token.place.end};
}

TaggedSpan PipelineTagJob::word_of(std::span<const ScoredToken> tokens) const {
  std::vector<std::string_view> pieces;
  std::vector<std::vector<double>> scores;
  for (const ScoredToken& token : tokens) {
    pieces.push_back(token.word);
    scores.push_back(token.scores);
  }
  ScoredToken word = {.word = text::join_pieces(tokenizer_, pieces),
                      .scores = scores[0],
                      .place = {tokens.front().place.begin, tokens.back().place.end}};
  if (settings_.aggregation == TagAggregation::kAverage) word.scores = mean(scores);
  if (settings_.aggregation == TagAggregation::kMax) {
    word.scores = *std::ranges::max_element(scores, std::ranges::less{}, [](const auto& of) {
      return of[static_cast<size_t>(largest(of))];
    });
  }
  return labelled(word);
}

std::vector<TaggedSpan> PipelineTagJob::words_of(std::span<const ScoredToken> tokens) const {
  std::vector<TaggedSpan> words;
  for (size_t begin = 0; begin < tokens.size();) {
    size_t end = begin + 1;
    while (end < tokens.size() && tokens[end].continues) ++end;
    words.push_back(word_of(tokens.subspan(begin, end - begin)));
    begin = end;
  }
  return words;
}

TaggedSpan PipelineTagJob::group_of(std::span<const TaggedSpan> members) const {
  std::vector<std::string_view> words;
  double sum = 0;
  for (const TaggedSpan& member : members) {
    words.push_back(member.word);
    sum += member.score;
  }
  return {.label = group_name(members.front().label),
          .score = sum / static_cast<double>(members.size()),
          .word = text::join_pieces(tokenizer_, words),
          .begin = members.front().begin,
          .end = members.back().end};
}

std::vector<TaggedSpan> PipelineTagJob::groups_of(std::span<const TaggedSpan> members) const {
  std::vector<TaggedSpan> groups;
  for (size_t begin = 0; begin < members.size();) {
    const std::string_view type = type_of(members[begin].label).first;
    size_t end = begin + 1;
    while (end < members.size() && type_of(members[end].label) == std::pair(type, false)) ++end;
    groups.push_back(group_of(members.subspan(begin, end - begin)));
    begin = end;
  }
  return groups;
}

void PipelineTagJob::take(int64_t window, std::span<const float> result) {
  Window& to = windows_[static_cast<size_t>(window)];
  const std::vector<ScoredToken> tokens = tokens_of(to, result);
  const bool of_words = settings_.aggregation != TagAggregation::kNone &&
                        settings_.aggregation != TagAggregation::kSimple;
  std::vector<TaggedSpan> spans;
  if (of_words) {
    spans = words_of(tokens);
  } else {
    for (const ScoredToken& token : tokens) spans.push_back(labelled(token));
  }
  if (settings_.aggregation != TagAggregation::kNone) spans = groups_of(spans);
  std::erase_if(spans, [&](const TaggedSpan& span) {
    return std::ranges::find(settings_.ignored, span.label) != settings_.ignored.end();
  });
  to.found = std::move(spans);
}

std::vector<std::vector<TaggedSpan>> PipelineTagJob::results() const {
  std::vector<std::vector<TaggedSpan>> all(unknown_.size());
  std::vector<int64_t> windows(unknown_.size(), 0);
  for (const Window& window : windows_) {
    all[window.text].insert(all[window.text].end(), window.found.begin(), window.found.end());
    ++windows[window.text];
  }
  for (size_t i = 0; i < all.size(); ++i) {
    if (windows[i] > 1) all[i] = without_overlaps(std::move(all[i]));
  }
  return all;
}

}  // namespace bertha::infer
