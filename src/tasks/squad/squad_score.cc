#include "tasks/squad/squad_score.h"

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "cpython/str_rules.h"
#include "io/text_file.h"
#include "text/json_text.h"
#include "text/unicode.h"

namespace bertha::tasks {
namespace {

bool is_ascii_punctuation(char32_t c) {
  return (c >= 0x21 && c <= 0x2F) || (c >= 0x3A && c <= 0x40) || (c >= 0x5B && c <= 0x60) ||
         (c >= 0x7B && c <= 0x7E);
}

bool is_article(std::string_view word) {
  return word == "a" || word == "an" || word == "the";
}

/// `text` with every article replaced by a space if no letter or digit is next to it:
/// re.sub(r"\b(a|an|the)\b", " ", text).
std::string without_articles(const std::vector<text::Letter>& letters) {
  std::string result;
  for (size_t begin = 0; begin < letters.size();) {
    const bool word = cpython::is_python_alphanumeric(letters[begin].code_point);
    size_t end = begin + 1;
    while (end < letters.size() &&
           cpython::is_python_alphanumeric(letters[end].code_point) == word) {
      ++end;
    }
    const std::string run = text::to_utf8({letters.begin() + static_cast<int64_t>(begin),
                                           letters.begin() + static_cast<int64_t>(end)});
    result += word && is_article(run) ? " " : run;
    begin = end;
  }
  return result;
}

/// The size of the intersection of two bags of words.
int64_t shared_words(std::vector<std::string_view> a, std::vector<std::string_view> b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  std::vector<std::string_view> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return std::ssize(both);
}

/// The true answers of a question. Version 2: answers that are empty after normalization do not
/// count, and a question without any answer has the true answer "".
std::vector<std::string_view> truths_of(const SquadQuestion& question, bool version_2) {
  std::vector<std::string_view> truths;
  for (const SquadAnswer& answer : question.answers) {
    if (!version_2 || !normalize_answer(answer.text).empty()) truths.emplace_back(answer.text);
  }
  if (version_2 && truths.empty()) truths.emplace_back();
  return truths;
}

/// Adds sums; finish() turns them into means.
void add(SquadMeans& means, double exact, double f1) {
  means.exact_match += exact;
  means.f1 += f1;
  ++means.questions;
}

void finish(SquadMeans& means) {
  if (means.questions == 0) return;
  means.exact_match = 100.0 * means.exact_match / static_cast<double>(means.questions);
  means.f1 = 100.0 * means.f1 / static_cast<double>(means.questions);
}

}  // namespace

std::string normalize_answer(std::string_view answer) {
  std::vector<text::Letter> letters = text::letters_of(answer);
  text::lower_word(letters, true);
  std::erase_if(letters,
                [](const text::Letter& letter) { return is_ascii_punctuation(letter.code_point); });
  const std::string bare = without_articles(letters);
  std::string result;
  for (const std::string_view word : cpython::split_at_spaces(bare)) {
    if (!result.empty()) result += ' ';
    result += word;
  }
  return result;
}

double exact_match(std::string_view prediction, std::string_view truth) {
  return normalize_answer(prediction) == normalize_answer(truth) ? 1.0 : 0.0;
}

double answer_f1(std::string_view prediction, std::string_view truth, bool version_2) {
  const std::string predicted = normalize_answer(prediction);
  const std::string expected = normalize_answer(truth);
  if (version_2 && (predicted.empty() || expected.empty())) return predicted == expected ? 1 : 0;
  const std::vector<std::string_view> p = cpython::split_at_spaces(predicted);
  const std::vector<std::string_view> t = cpython::split_at_spaces(expected);
  const auto same = static_cast<double>(shared_words(p, t));
  if (same == 0) return 0;
  const double precision = same / static_cast<double>(p.size());
  const double recall = same / static_cast<double>(t.size());
  return (2 * precision * recall) / (precision + recall);
}

SquadScores score_squad(const SquadFile& gold, const SquadAnswers& answers, bool version_2) {
  if (gold.questions.empty()) fail("{}: no question to score", gold.path);
  SquadScores scores;
  for (const SquadQuestion& question : gold.questions) {
    const std::vector<std::string_view> truths = truths_of(question, version_2);
    double exact = 0;
    double f1 = 0;
    if (const auto found = answers.find(question.id); found == answers.end()) {
      ++scores.unanswered;
    } else {
      for (const std::string_view truth : truths) {
        exact = std::max(exact, exact_match(found->second, truth));
        f1 = std::max(f1, answer_f1(found->second, truth, version_2));
      }
    }
    add(scores.all, exact, f1);
    add(!question.answers.empty() ? scores.answerable : scores.unanswerable, exact, f1);
  }
  for (SquadMeans* means : {&scores.all, &scores.answerable, &scores.unanswerable}) finish(*means);
  return scores;
}

SquadAnswers read_squad_predictions(const std::string& path, Problems& problems) {
  const io::TextFile file(path, io::TextFile::Check::kLater);
  const text::JsonText json = text::parse_json_text(file.text(), file.path());
  if (!json.root.is_object()) fail("{}: expected an object, question id to answer", path);
  if (json.repaired > 0) {
    problems.add("byte sequence that is not UTF-8, read as U+FFFD",
                 fmt::format("byte {}", json.first_repair), json.repaired);
  }
  SquadAnswers answers;
  for (const auto& [id, answer] : json.root.items()) {
    if (const auto* text = answer.get_ptr<const std::string*>()) {
      answers.emplace(id, *text);
    } else {
      problems.add("prediction that is not a string", id);
    }
  }
  return answers;
}

}  // namespace bertha::tasks
