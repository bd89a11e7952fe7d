#pragma once

// losses.tsv: a line a step, for people and spreadsheets, and what the picture loss.svg is drawn
// from. It grows over restarts and over both phases; lines past the point a run resumes at go.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runlog/append_file.h"

namespace bertha::runlog {

struct LossRecord {
  int64_t phase = 1;
  int64_t number = 0;  ///< step counted over both phases, as in a checkpoint's name
  bool held_out = false;
  double masked = 0;
  double next_sentence = 0;
  double masked_accuracy = 0;  ///< share of masked tokens predicted right
  double next_sentence_accuracy = 0;
  double rate = 0;
};

class LossHistory {
 public:
  /// Reads `folder`/losses.tsv, keeps the records up to step `last_number` and goes on from there.
  /// Lines that are none are dropped: the file may have been edited.
  LossHistory(const std::string& folder, int64_t last_number);

  void add(const LossRecord& record);
  const std::vector<LossRecord>& records() const { return records_; }
  /// Writes `folder`/loss.svg.
  void draw(const std::string& subtitle) const;

 private:
  std::string folder_;
  std::vector<LossRecord> records_;
  std::unique_ptr<AppendFile> file_;
};

}  // namespace bertha::runlog
