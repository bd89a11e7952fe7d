#include "tasks/squad/squad_answers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_map>

#include "core/error.h"
#include "core/utf8.h"
#include "cpython/literals.h"
#include "cpython/str_rules.h"
#include "text/tokenizer_settings.h"

namespace bertha::tasks {
namespace {

/// Makes logits sortable: NaN orders below all other values.
float ordered(float logit) {
  return std::isnan(logit) ? -std::numeric_limits<float>::infinity() : logit;
}

/// Indices of the `count` largest logits, largest first; equal logits are ordered by index.
std::vector<int32_t> best_indices(std::span<const float> logits, int64_t count) {
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto middle = order.begin() + std::min<int64_t>(count, std::ssize(order));
  std::partial_sort(order.begin(), middle, order.end(), [&](int32_t a, int32_t b) {
    const float left = ordered(logits[static_cast<size_t>(a)]);
    const float right = ordered(logits[static_cast<size_t>(b)]);
    return left > right || (left == right && a < b);
  });
  order.erase(middle, order.end());
  return order;
}

double ordered_score(const Candidate& candidate) {
  return double{ordered(candidate.start_logit)} + double{ordered(candidate.end_logit)};
}

void sort_by_score(std::vector<Candidate>& candidates) {
  std::stable_sort(
      candidates.begin(), candidates.end(),
      [](const Candidate& a, const Candidate& b) { return ordered_score(a) > ordered_score(b); });
}

void erase_all(std::string& text, std::string_view what) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at)) {
    text.erase(at, what.size());
  }
}

}  // namespace

SquadAnswerer::SquadAnswerer(const SquadFeatures& features, const text::Tokenizer& tokenizer,
                             const AnswerOptions& options)
    : features_(features), tokenizer_(tokenizer), options_(options), recover_(tokenizer.options()) {
  if (options.n_best_size < 1) fail("--n-best-size is {}; expected 1 or more", options.n_best_size);
  if (options.max_answer_length < 1) {
    fail("--max-answer-length is {}; expected 1 or more", options.max_answer_length);
  }
}

WindowAnswers SquadAnswerer::read_window(int64_t window, std::span<const float> start,
                                         std::span<const float> end) const {
  const SquadWindow& at = features_.windows()[static_cast<size_t>(window)];
  const int64_t length = features_.length_of(at);
  BERTHA_CHECK(std::ssize(start) == length && std::ssize(end) == length);
  const int64_t first = features_.passage_offset(at);
  const int64_t past = first + at.length;
  std::vector<Candidate> pairs;
  const std::vector<int32_t> ends = best_indices(end, options_.n_best_size);
  for (const int32_t s : best_indices(start, options_.n_best_size)) {
    if (s < first || s >= past || !features_.is_max_context(at, s)) continue;
    for (const int32_t e : ends) {
      if (e < s || e >= past || e - s + 1 > options_.max_answer_length) continue;
      pairs.push_back({.text = {},
                       .start_logit = start[static_cast<size_t>(s)],
                       .end_logit = end[static_cast<size_t>(e)],
                       .window = window,
                       .start = s,
                       .end = e});
    }
  }
  sort_by_score(pairs);
  WindowAnswers result{.candidates = {}, .null_start = start[0], .null_end = end[0]};
  for (Candidate& pair : pairs) {
    if (std::ssize(result.candidates) == options_.n_best_size) break;
    pair.text = text_of(pair);
    const bool seen = std::any_of(result.candidates.begin(), result.candidates.end(),
                                  [&](const Candidate& other) { return other.text == pair.text; });
    if (!seen) result.candidates.push_back(std::move(pair));
  }
  return result;
}

std::pair<int32_t, int32_t> SquadAnswerer::word_range(const Candidate& candidate) const {
  const SquadWindow& window = features_.windows()[static_cast<size_t>(candidate.window)];
  const std::vector<int32_t>& words = features_.passage_of(window).word_of_token;
  const int64_t shift = window.begin - features_.passage_offset(window);
  return {words[static_cast<size_t>(candidate.start + shift)],
          words[static_cast<size_t>(candidate.end + shift)]};
}

std::string SquadAnswerer::words_of(const Candidate& candidate) const {
  const SquadWindow& window = features_.windows()[static_cast<size_t>(candidate.window)];
  const SquadPassage& passage = features_.passage_of(window);
  const auto [first, last] = word_range(candidate);
  std::string words;
  for (int32_t i = first; i <= last; ++i) {
    if (i > first) words += ' ';
    words += passage.words[static_cast<size_t>(i)];
  }
  return words;
}

std::string SquadAnswerer::text_of(const Candidate& candidate) const {
  const SquadWindow& window = features_.windows()[static_cast<size_t>(candidate.window)];
  std::string pieces;
  for (int64_t i = candidate.start; i <= candidate.end; ++i) {
    if (i > candidate.start) pieces += ' ';
    pieces += tokenizer_.vocabulary().piece(features_.token_at(window, i));
  }
  const std::string& prefix = tokenizer_.settings().continuing_prefix;
  if (!prefix.empty()) {
    erase_all(pieces, " " + prefix);
    erase_all(pieces, prefix);
  }
  std::string predicted;
  for (const std::string_view word : cpython::split_at_spaces(pieces)) {
    if (!predicted.empty()) predicted += ' ';
    predicted += word;
  }
  return recover_.recover(predicted, words_of(candidate));
}

QuestionAnswers SquadAnswerer::rank(const std::string& id, std::vector<Candidate> candidates,
                                    double null_score) const {
  sort_by_score(candidates);
  if (std::ssize(candidates) > options_.n_best_size) {
    candidates.erase(candidates.begin() + options_.n_best_size, candidates.end());
  }
  if (candidates.empty()) candidates.push_back({.text = "empty"});
  QuestionAnswers result{.id = id, .text = candidates[0].text, .best = {}};
  const double largest = candidates[0].score();
  double sum = 0;
  for (Candidate& candidate : candidates) {
    const double weight = std::exp(candidate.score() - largest);
    sum += weight;
    result.best.push_back({std::move(candidate), weight});
  }
  for (RankedAnswer& answer : result.best) answer.probability /= sum;
  if (!options_.version_2) return result;
  const auto answer = std::find_if(result.best.begin(), result.best.end(), [](const auto& ranked) {
    return !ranked.candidate.text.empty();
  });
  const bool none =
      answer == result.best.end() ||
      null_score - double{answer->candidate.start_logit} - double{answer->candidate.end_logit} >
          options_.null_threshold;
  result.text = none ? "" : answer->candidate.text;
  return result;
}

std::vector<QuestionAnswers> SquadAnswerer::merge(const std::vector<WindowAnswers>& windows) const {
  struct Gathered {
    const std::string* id = nullptr;
    std::vector<Candidate> candidates;
    Candidate null{.start_logit = std::numeric_limits<float>::infinity()};
  };
  BERTHA_CHECK(windows.size() == features_.windows().size());
  std::vector<Gathered> questions;
  std::unordered_map<std::string_view, size_t> by_id;
  for (size_t i = 0; i < windows.size(); ++i) {
    const std::string& id = features_.id_of(features_.windows()[i]);
    const auto [place, fresh] = by_id.try_emplace(id, questions.size());
    if (fresh) questions.push_back({.id = &id, .candidates = {}});
    Gathered& of = questions[place->second];
    of.candidates.insert(of.candidates.end(), windows[i].candidates.begin(),
                         windows[i].candidates.end());
    const Candidate null{
        .text = {}, .start_logit = windows[i].null_start, .end_logit = windows[i].null_end};
    if (null.score() < of.null.score()) of.null = null;
  }
  std::vector<QuestionAnswers> result;
  result.reserve(questions.size());
  for (Gathered& of : questions) {
    if (options_.version_2) of.candidates.push_back(of.null);
    result.push_back(rank(*of.id, std::move(of.candidates), of.null.score()));
  }
  return result;
}

std::pair<int64_t, int64_t> SquadAnswerer::place_of(const Candidate& candidate) const {
  const SquadWindow& window = features_.windows()[static_cast<size_t>(candidate.window)];
  const SquadPassage& passage = features_.passage_of(window);
  const auto [first, last] = word_range(candidate);
  // The text is a part of the words with one space between them.
  const std::string joined = words_of(candidate);
  const size_t found = joined.find(candidate.text);
  const size_t begin = found == std::string::npos ? 0 : found;
  const size_t end = found == std::string::npos ? joined.size() : found + candidate.text.size();
  const auto points = [](std::string_view text) { return std::ssize(text::letters_of(text)); };
  std::pair<int64_t, int64_t> place;
  size_t before = 0;
  for (int32_t i = first; i <= last; ++i) {
    const auto at = static_cast<size_t>(i);
    const std::string_view word = passage.words[at];
    const auto place_in_word = [&](size_t byte) {
      return passage.word_places[at] + points(word.substr(0, byte - before));
    };
    if (begin >= before && begin <= before + word.size()) place.first = place_in_word(begin);
    if (end > before && end <= before + word.size()) place.second = place_in_word(end);
    before += word.size() + 1;
  }
  return {place.first, std::max(place.first, place.second)};
}

std::string predictions_json(const std::vector<QuestionAnswers>& answers) {
  if (answers.empty()) return "{}\n";
  std::string text = "{";
  for (const QuestionAnswers& answer : answers) {
    text += &answer == answers.data() ? "\n    " : ",\n    ";
    text += cpython::json_string(answer.id) + ": " + cpython::json_string(answer.text);
  }
  return text + "\n}\n";
}

std::string nbest_json(const std::vector<QuestionAnswers>& answers) {
  if (answers.empty()) return "{}\n";
  std::string text = "{";
  for (const QuestionAnswers& answer : answers) {
    text += &answer == answers.data() ? "\n    " : ",\n    ";
    text += cpython::json_string(answer.id) + ": [";
    for (const RankedAnswer& ranked : answer.best) {
      text += fmt::format(
          "{}\n        {{\n            \"text\": {},\n            \"probability\": {},\n"
          "            \"start_logit\": {},\n            \"end_logit\": {}\n        }}",
          &ranked == answer.best.data() ? "" : ",", cpython::json_string(ranked.candidate.text),
          cpython::repr_float(ranked.probability),
          cpython::repr_float(double{ranked.candidate.start_logit}),
          cpython::repr_float(double{ranked.candidate.end_logit}));
    }
    text += "\n    ]";
  }
  return text + "\n}\n";
}

SquadAnswers by_id(const std::vector<QuestionAnswers>& answers) {
  SquadAnswers result;
  for (const QuestionAnswers& answer : answers) result.insert_or_assign(answer.id, answer.text);
  return result;
}

}  // namespace bertha::tasks
