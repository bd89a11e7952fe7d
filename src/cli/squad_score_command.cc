#include <spdlog/spdlog.h>

#include <cstdio>
#include <string>

#include "cli/options.h"
#include "cli/squad_tools.h"
#include "core/error.h"
#include "cpython/literals.h"
#include "tasks/squad/squad_score.h"

namespace bertha::cli {
namespace {

using cpython::repr_float;

void warn(const std::string& path, const tasks::Problems& problems) {
  for (const std::string& line : problems.lines()) spdlog::warn("{}: {}", path, line);
}

std::string version_2_fields(const tasks::SquadScores& scores) {
  const auto part = [](const char* name, const tasks::SquadMeans& means) {
    return fmt::format("\"{}_exact\": {}, \"{}_f1\": {}, \"{}_total\": {}", name,
                       repr_float(means.exact_match), name, repr_float(means.f1), name,
                       means.questions);
  };
  return part("HasAns", scores.answerable) + ", " + part("NoAns", scores.unanswerable);
}

/// As evaluate-v1.1.py does, for files of version 2 behind a line of their own.
void print(const tasks::SquadScores& scores, bool version_2, bool json) {
  const std::string all =
      fmt::format("\"exact_match\": {}, \"f1\": {}", repr_float(scores.all.exact_match),
                  repr_float(scores.all.f1));
  const std::string more = version_2 ? version_2_fields(scores) : "";
  if (json) {
    fmt::print("{{{}, \"total\": {}, \"unanswered\": {}{}{}}}\n", all, scores.all.questions,
               scores.unanswered, version_2 ? ", " : "", more);
    return;
  }
  if (version_2) fmt::print("{{{}}}\n", more);
  fmt::print("{{{}}}\n", all);
}

}  // namespace

int run_squad_score(Arguments arguments) {
  std::vector<std::string> files;
  bool version_2 = false;
  bool json = false;
  Options table("bertha squad score",
                "Scores answers as evaluate-v1.1.py does: exact match and F1, in percent, as the "
                "last line, {\"exact_match\": ..., \"f1\": ...}. For files of version 2, as "
                "evaluate-v2.0.py does, with a line for questions with and without an answer.");
  table.example("bertha squad score dev-v1.1.json predictions.json", "Score a file of answers");
  table.positional(
      "GOLD PREDICTIONS", files, 2,
      "a SQuAD file, and {\"id\": \"answer\", ...}; one of them may be - for standard input",
      ValueKind::kFile);
  table.flag("json", json, "print one JSON object with all figures");
  table.flag("version_2_with_negative", version_2,
             "use the rules of version 2; if not given, the file decides");
  table.parse(arguments);
  if (files.size() != 2) fail("bertha squad score takes two files, {} are given", files.size());
  if (files[0] == "-" && files[1] == "-") fail("standard input can be one file only");
  const tasks::SquadFile gold = tasks::read_squad(files[0]);
  warn(files[0], gold.problems);
  tasks::Problems problems;
  const tasks::SquadAnswers answers = tasks::read_squad_predictions(files[1], problems);
  warn(files[1], problems);
  version_2 = version_2 || gold.version_2();
  const tasks::SquadScores scores = tasks::score_squad(gold, answers, version_2);
  if (scores.unanswered > 0) {
    spdlog::warn("{}: {} of {} questions have no answer and score 0", files[1], scores.unanswered,
                 scores.all.questions);
  }
  print(scores, version_2, json);
  return 0;
}

}  // namespace bertha::cli
