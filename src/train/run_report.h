#pragma once

// What a training run reports before its first step and after its last one, three lines
// each. The checks that can fail a run early stand here too: whether the disk has room for what it
// will write.

#include <cstdint>
#include <string>
#include <vector>

#include "bert/config.h"
#include "bert/weights.h"
#include "core/device.h"
#include "runlog/run_report_page.h"
#include "train/checkpoint.h"

namespace bertha::train {

/// A run before its first step.
struct RunStart {
  const bert::Config* config = nullptr;  ///< null: the layers are not named
  const Device* device = nullptr;
  int64_t parameters = 0;
  const char* precision = "fp32";
  int64_t ranks = 1;
  std::string data;              ///< "12 shards, 6,978 rows of 128 tokens"
  int64_t first_step = 0;        ///< steps done
  int64_t last_step = 0;         ///< where this command ends
  double rows_a_step = 0;        ///< over all ranks
  int64_t rows = 0;              ///< of the data; decides the number of epochs
  std::string folder;            ///< of the output
  int64_t checkpoint_bytes = 0;  ///< the largest file that the run writes; 0: it writes none
};

/// The size of a checkpoint: weights and two moments in fp32.
int64_t checkpoint_bytes(int64_t parameters);

/// Three lines: the model and the device; the data and the steps; the disk.
std::vector<std::string> start_lines(const RunStart& start);

/// Logs what a model took from its weights: for people where it is trained, else as details.
void log_loaded(const bert::LoadReport& report, bool training);

/// Throws Error where the file system of `start.folder` has no room for one checkpoint. The folder
/// must exist.
void check_room(const RunStart& start);

/// A run after its last step.
struct RunSummary {
  int64_t steps = 0;                 ///< of this start
  double seconds = 0;                ///< of these steps
  double first_loss = 0;             ///< of the first step of this start
  double last_loss = 0;              ///< mean over the last steps, as logged
  std::string evaluation;            ///< the last one in words; empty: none
  std::vector<std::string> written;  ///< paths
  std::string next;                  ///< a command line to go on with
};

/// Three lines: what was learned, what was written, and the next command.
std::vector<std::string> end_lines(const RunSummary& summary);

/// The settings of a run as a table of its page. Values of several lines, as a config is, are left
/// to their files.
runlog::ReportTable settings_table(const Settings& settings);

}  // namespace bertha::train
