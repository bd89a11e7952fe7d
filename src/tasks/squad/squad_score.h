#pragma once

// Scores of answers to SQuAD, as the official evaluate-v1.1.py and evaluate-v2.0.py compute them,
// in the same order of operations, so that every digit agrees.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tasks/squad/squad_reader.h"

namespace bertha::tasks {

/// Answers by question id.
using SquadAnswers = std::unordered_map<std::string, std::string>;

/// Means over a set of questions, in percent.
struct SquadMeans {
  double exact_match = 0;
  double f1 = 0;
  int64_t questions = 0;
};

struct SquadScores {
  SquadMeans all;
  SquadMeans answerable;    ///< version 2: questions with an answer
  SquadMeans unanswerable;  ///< version 2: questions without an answer
  int64_t unanswered = 0;   ///< questions without a prediction; they score 0
};

/// Lower case, without ASCII punctuation and English articles, with one space between words.
std::string normalize_answer(std::string_view answer);

/// 1 when the two are equal after normalize_answer, else 0.
double exact_match(std::string_view prediction, std::string_view truth);
/// F1 of the two bags of words. With `version_2`, if one bag is empty: 1 if both are, else 0.
double answer_f1(std::string_view prediction, std::string_view truth, bool version_2);

/// Scores `answers` to the questions of `gold`, each against the best-matching true answer. Throws
/// Error when there is no question.
SquadScores score_squad(const SquadFile& gold, const SquadAnswers& answers, bool version_2);

/// Reads a prediction file, {id: text}. Entries that are not strings are counted in `problems`.
SquadAnswers read_squad_predictions(const std::string& path, Problems& problems);

}  // namespace bertha::tasks
