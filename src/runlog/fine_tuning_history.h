#pragma once

// losses.tsv of a fine-tuning: a line an update or evaluation, for people and spreadsheets, and
// what the picture loss.svg is drawn from. It grows over restarts; lines past the update a run
// resumes at go.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runlog/append_file.h"

namespace bertha::runlog {

/// Names and values of an evaluation.
using Scores = std::vector<std::pair<std::string, double>>;

class FineTuningHistory {
 public:
  /// Reads `folder`/losses.tsv and keeps what was written up to update `last_step`.
  FineTuningHistory(const std::string& folder, int64_t last_step);

  void add_loss(int64_t step, double loss, double rate);
  void add_scores(int64_t step, const Scores& scores);
  /// Writes `folder`/loss.svg: the losses, and the last score of each evaluation beside its step.
  void draw() const;

 private:
  struct Line {
    int64_t step = 0;
    std::string kind;  ///< "loss", or the name of a score
    double value = 0;
    double rate = 0;
  };
  static bool parse(const std::string& text, Line& line);
  void add(const Line& line);

  std::string folder_;
  std::vector<Line> lines_;
  std::unique_ptr<AppendFile> file_;
};

}  // namespace bertha::runlog
