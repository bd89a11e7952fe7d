#include <spdlog/spdlog.h>

#include <cstdio>

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

void print_version_2(const tasks::SquadScores& scores) {
  const auto part = [](const char* name, const tasks::SquadMeans& means) {
    return fmt::format("\"{}_exact\": {}, \"{}_f1\": {}, \"{}_total\": {}", name,
                       cpython::repr_float(means.exact_match), name, cpython::repr_float(means.f1),
                       name, means.questions);
  };
  fmt::print("{{{}, {}}}\n", part("HasAns", scores.answerable), part("NoAns", scores.unanswerable));
}

}  // namespace

int run_squad_score(Arguments arguments) {
  std::vector<std::string> files;
  bool version_2 = false;
  Options table("bertha squad score",
                "Scores answers as evaluate-v1.1.py does: exact match and F1, in percent, as the "
                "last line, {\"exact_match\": ..., \"f1\": ...}. For files of version 2, as "
                "evaluate-v2.0.py does, with a line for questions with and without an answer.");
  table.example("bertha squad score dev-v1.1.json predictions.json", "Score a file of answers");
  table.positional("GOLD PREDICTIONS", files, 2, "a SQuAD file, and {\"id\": \"answer\", ...}",
                   ValueKind::kFile);
  table.flag("version_2_with_negative", version_2,
             "use the rules of version 2; if not given, the file decides");
  table.parse(arguments);
  if (files.size() != 2) fail("bertha squad score takes two files, {} are given", files.size());
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
  if (version_2) print_version_2(scores);
  fmt::print("{{\"exact_match\": {}, \"f1\": {}}}\n", cpython::repr_float(scores.all.exact_match),
             cpython::repr_float(scores.all.f1));
  return 0;
}

}  // namespace bertha::cli
