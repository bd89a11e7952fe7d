#include "tasks/squad/squad_features.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "core/error.h"
#include "core/parallel_tasks.h"
#include "core/utf8.h"
#include "cpython/str_rules.h"
#include "text/tokenizer_settings.h"

namespace bertha::tasks {
namespace {

constexpr int64_t kTaskQuestions = 64;

/// True where BERT splits passages: at fewer characters than the tokenizer treats as white space.
bool splits_words(char32_t c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0x202F;
}

void split_words(std::string_view context, SquadPassage& passage) {
  const char* const end = context.data() + context.size();
  const char* begin = nullptr;
  int32_t place = 0;
  for (const char* at = context.data(); at < end; ++place) {
    const Decoded decoded = decode_utf8(at, end);
    const bool split = splits_words(decoded.code_point);
    if (!split && begin == nullptr) {
      begin = at;
      passage.word_places.push_back(place);
    }
    if (split && begin != nullptr) {
      passage.words.emplace_back(begin, static_cast<size_t>(at - begin));
      begin = nullptr;
    }
    at += decoded.length;
  }
  if (begin != nullptr) passage.words.emplace_back(begin, static_cast<size_t>(end - begin));
}

/// The segment of the second text. Windows are [CLS] question [SEP] passage [SEP]; the template may
/// differ in the segment of the passage alone.
int32_t passage_segment(const text::Tokenizer& tokenizer) {
  const text::SpecialIds special = tokenizer.specials();
  const std::vector<text::TemplatePart>& pair = tokenizer.settings().sequence.pair;
  const int32_t segment = pair.back().segment;
  text::SequenceTemplate bert = text::SequenceTemplate::bert(special.cls, special.sep);
  bert.pair[3].segment = bert.pair[4].segment = segment;
  if (pair != bert.pair) {
    fail("{}: the template of two texts is not {} A {} B {}, the only one supported for questions",
         tokenizer.vocabulary().name(), tokenizer.settings().names.cls,
         tokenizer.settings().names.sep, tokenizer.settings().names.sep);
  }
  return segment;
}

SquadPassage tokenize(std::string_view context, const text::Tokenizer& tokenizer) {
  SquadPassage passage;
  split_words(context, passage);
  passage.ids.reserve(context.size() / 4);
  for (size_t word = 0; word < passage.words.size(); ++word) {
    passage.token_of_word.push_back(static_cast<int32_t>(passage.ids.size()));
    tokenizer.encode(passage.words[word], passage.ids);
    passage.word_of_token.resize(passage.ids.size(), static_cast<int32_t>(word));
  }
  return passage;
}

/// Byte offset of code point `index`, or -1 when the text ends before it.
int64_t byte_of(std::string_view text, int64_t index) {
  const char* const end = text.data() + text.size();
  const char* at = text.data();
  for (; index > 0 && at < end; --index) at += decode_utf8(at, end).length;
  return index == 0 && at < end ? at - text.data() : -1;
}

int64_t count_code_points(std::string_view text) {
  int64_t count = 0;
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at < end; ++count) at += decode_utf8(at, end).length;
  return count;
}

/// The word with byte `at` of the context, or the previous word if that byte is white space; -1:
/// none.
int64_t word_at(const SquadPassage& passage, std::string_view context, int64_t at) {
  const auto after = std::upper_bound(
      passage.words.begin(), passage.words.end(), context.data() + at,
      [](const char* place, std::string_view word) { return place < word.data(); });
  return after - passage.words.begin() - 1;
}

std::string join_words(const SquadPassage& passage, int64_t first, int64_t last) {
  std::string text;
  for (int64_t i = first; i <= last; ++i) {
    if (i > first) text += ' ';
    text += passage.words[static_cast<size_t>(i)];
  }
  return text;
}

/// For the answer 1895 and the word "(1895-1943)": the first range of tokens in [first, last] that
/// equals the answer's own tokens, else [first, last].
std::pair<int64_t, int64_t> improve_span(const std::vector<int32_t>& passage, int64_t first,
                                         int64_t last, const std::vector<int32_t>& answer) {
  const int64_t length = std::ssize(answer);
  for (int64_t begin = first; length > 0 && begin + length - 1 <= last; ++begin) {
    if (std::equal(answer.begin(), answer.end(), passage.begin() + begin)) {
      return {begin, begin + length - 1};
    }
  }
  return {first, last};
}

}  // namespace

void check(const SquadFeatureOptions& options) {
  if (options.max_query_length < 0) {
    fail("--max-query-length is {}; expected 0 or more", options.max_query_length);
  }
  if (options.doc_stride < 1) fail("--doc-stride is {}; expected 1 or more", options.doc_stride);
  if (options.max_seq_length < options.max_query_length + 4) {
    fail(
        "--max-seq-length {} leaves no token for the passage: a question may take {} "
        "(--max-query-length), [CLS] and [SEP] take 3",
        options.max_seq_length, options.max_query_length);
  }
}

SquadFeatures::SquadFeatures(const SquadFile& file, const text::Tokenizer& tokenizer,
                             const SquadFeatureOptions& options)
    : file_(&file),
      tokenizer_(tokenizer),
      options_(options),
      specials_(tokenizer.specials()),
      passage_segment_(passage_segment(tokenizer)),
      contexts_(file.contexts.begin(), file.contexts.end()) {
  asked_.reserve(file.questions.size());
  for (const SquadQuestion& question : file.questions) {
    asked_.push_back({.id = question.id, .text = question.text, .passage = question.paragraph});
  }
  make();
}

SquadFeatures::SquadFeatures(std::span<const PassageQuestion> questions,
                             const text::Tokenizer& tokenizer, const SquadFeatureOptions& options)
    : tokenizer_(tokenizer),
      options_(options),
      specials_(tokenizer.specials()),
      passage_segment_(passage_segment(tokenizer)) {
  BERTHA_CHECK(!options.training);
  std::unordered_map<std::string_view, int64_t> known;
  for (const PassageQuestion& question : questions) {
    const auto [passage, fresh] = known.try_emplace(question.passage, std::ssize(contexts_));
    if (fresh) contexts_.push_back(question.passage);
    asked_.push_back({.id = fmt::format("{}", asked_.size()),
                      .text = question.question,
                      .passage = passage->second});
  }
  make();
}

void SquadFeatures::make() {
  check(options_);
  tokenize_passages();
  make_examples();
}

void SquadFeatures::tokenize_passages() {
  passages_.resize(contexts_.size());
  parallel_tasks(std::ssize(passages_), options_.threads, [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    passages_[at] = tokenize(contexts_[at], tokenizer_);
  });
}

void SquadFeatures::make_examples() {
  const int64_t questions = std::ssize(asked_);
  const int64_t tasks = (questions + kTaskQuestions - 1) / kTaskQuestions;
  std::vector<std::vector<std::pair<SquadExample, Answer>>> made(static_cast<size_t>(tasks));
  std::vector<Problems> problems(static_cast<size_t>(tasks));
  parallel_tasks(tasks, options_.threads, [&](int64_t task) {
    const auto slot = static_cast<size_t>(task);
    const int64_t end = std::min(questions, (task + 1) * kTaskQuestions);
    for (int64_t question = task * kTaskQuestions; question < end; ++question) {
      SquadExample example;
      Answer answer;
      if (make_example(question, example, answer, problems[slot])) {
        made[slot].emplace_back(std::move(example), answer);
      }
    }
  });
  for (size_t slot = 0; slot < made.size(); ++slot) {
    problems_.add_all(problems[slot]);
    for (auto& [example, answer] : made[slot]) {
      examples_.push_back(std::move(example));
      cut(std::ssize(examples_) - 1, answer);
    }
  }
}

bool SquadFeatures::make_example(int64_t question, SquadExample& example, Answer& answer,
                                 Problems& problems) const {
  const auto at = static_cast<size_t>(question);
  const Asked& asked = asked_[at];
  const SquadPassage& passage = passages_[static_cast<size_t>(asked.passage)];
  if (options_.training && !find_answer(file_->questions[at], answer, problems)) return false;
  if (passage.ids.empty()) problems.add("question about an empty passage, skipped", asked.id);
  example.question = question;
  example.passage = asked.passage;
  tokenizer_.encode(asked.text, example.ids);
  if (std::ssize(example.ids) > options_.max_query_length) {
    example.ids.resize(static_cast<size_t>(options_.max_query_length));
    example.ids.shrink_to_fit();
    example.truncated = true;
  }
  return true;
}

// A start of -1 means that the question has no answer. Returns false when the question cannot be
// used for training.
bool SquadFeatures::find_answer(const SquadQuestion& question, Answer& answer,
                                Problems& problems) const {
  if (options_.version_2 && question.impossible) return true;
  if (question.answers.size() != 1) {
    fail("{}: question {} has {} answers; training needs exactly one{}", file_->path, question.id,
         question.answers.size(),
         options_.version_2 ? "" : " (--version-2-with-negative allows for none)");
  }
  const SquadAnswer& truth = question.answers[0];
  const std::string_view context = contexts_[static_cast<size_t>(question.paragraph)];
  const SquadPassage& passage = passages_[static_cast<size_t>(question.paragraph)];
  const int64_t length = count_code_points(truth.text);
  const int64_t first_byte = truth.start < 0 || length == 0 ? -1 : byte_of(context, truth.start);
  const int64_t last_byte = first_byte < 0 ? -1 : byte_of(context, truth.start + length - 1);
  const int64_t first = last_byte < 0 ? -1 : word_at(passage, context, first_byte);
  if (first < 0) {
    problems.add("answer outside its passage, question skipped", question.id);
    return false;
  }
  const int64_t last = word_at(passage, context, last_byte);
  std::string cleaned;
  for (const std::string_view word : cpython::split_at_spaces(truth.text)) {
    if (!cleaned.empty()) cleaned += ' ';
    cleaned += word;
  }
  if (join_words(passage, first, last).find(cleaned) == std::string::npos) {
    problems.add("answer not found in its passage, question skipped", question.id);
    return false;
  }
  const bool last_word = last + 1 >= std::ssize(passage.words);
  answer.first = passage.token_of_word[static_cast<size_t>(first)];
  answer.last = last_word ? std::ssize(passage.ids) - 1
                          : passage.token_of_word[static_cast<size_t>(last + 1)] - 1;
  std::vector<int32_t> tokens;
  tokenizer_.encode(truth.text, tokens);
  std::tie(answer.first, answer.last) =
      improve_span(passage.ids, answer.first, answer.last, tokens);
  return true;
}

void SquadFeatures::cut(int64_t example, const Answer& answer) {
  SquadExample& of = examples_[static_cast<size_t>(example)];
  const int64_t tokens = std::ssize(passages_[static_cast<size_t>(of.passage)].ids);
  const int64_t room = options_.max_seq_length - std::ssize(of.ids) - 3;
  of.first_window = std::ssize(windows_);
  for (int64_t begin = 0; begin < tokens;) {
    if (std::ssize(windows_) == options_.max_windows) {
      fail("the questions need more than {} windows", options_.max_windows);
    }
    const int64_t length = std::min(tokens - begin, room);
    SquadWindow window{.example = static_cast<int32_t>(example),
                       .begin = static_cast<int32_t>(begin),
                       .length = static_cast<int32_t>(length)};
    if (answer.first >= begin && answer.last < begin + length) {
      const int64_t offset = passage_offset(window) - begin;
      window.start_position = static_cast<int32_t>(answer.first + offset);
      window.end_position = static_cast<int32_t>(answer.last + offset);
    }
    windows_.push_back(window);
    if (begin + length == tokens) break;
    begin += std::min(length, options_.doc_stride);
  }
  of.windows = std::ssize(windows_) - of.first_window;
}

text::UnknownShare SquadFeatures::unknown() const {
  text::UnknownShare share;
  for (const SquadPassage& passage : passages_) share.add(passage.ids, specials_.unk);
  for (const SquadExample& example : examples_) share.add(example.ids, specials_.unk);
  return share;
}

int32_t SquadFeatures::token_at(const SquadWindow& window, int64_t position) const {
  const SquadExample& example = example_of(window);
  const int64_t offset = passage_offset(window);
  BERTHA_CHECK(position >= 0 && position < length_of(window), "position {}", position);
  if (position == 0) return specials_.cls;
  if (position < offset - 1) return example.ids[static_cast<size_t>(position - 1)];
  if (position == offset - 1 || position == offset + window.length) return specials_.sep;
  return passage_of(window).ids[static_cast<size_t>(window.begin + position - offset)];
}

bool SquadFeatures::is_max_context(const SquadWindow& window, int64_t position) const {
  const SquadExample& example = example_of(window);
  const int64_t token = window.begin + position - passage_offset(window);
  const SquadWindow* best = nullptr;
  double best_score = 0;
  for (int64_t i = 0; i < example.windows; ++i) {
    const SquadWindow& other = windows_[static_cast<size_t>(example.first_window + i)];
    const int64_t left = token - other.begin;
    const int64_t right = other.begin + other.length - 1 - token;
    if (left < 0) break;
    if (right < 0) continue;
    const double score =
        static_cast<double>(std::min(left, right)) + 0.01 * static_cast<double>(other.length);
    if (best == nullptr || score > best_score) {
      best = &other;
      best_score = score;
    }
  }
  return best != nullptr && best->begin == window.begin;
}

void SquadFeatures::append(const SquadWindow& window, RaggedBatch& batch) const {
  const SquadExample& example = example_of(window);
  const std::vector<int32_t>& passage = passage_of(window).ids;
  const int64_t begin = batch.tokens();
  const int64_t question = passage_offset(window);
  const int64_t length = length_of(window);
  batch.ids.push_back(specials_.cls);
  batch.ids.insert(batch.ids.end(), example.ids.begin(), example.ids.end());
  batch.ids.push_back(specials_.sep);
  batch.ids.insert(batch.ids.end(), passage.begin() + window.begin,
                   passage.begin() + window.begin + window.length);
  batch.ids.push_back(specials_.sep);
  batch.segments.resize(static_cast<size_t>(begin + question), 0);
  batch.segments.resize(static_cast<size_t>(begin + length), passage_segment_);
  for (int32_t i = 0; i < length; ++i) batch.positions.push_back(i);
  batch.seq_start.push_back(static_cast<int32_t>(batch.tokens()));
}

}  // namespace bertha::tasks
