#pragma once

// ckpt_<number>.pt: the recipe's checkpoint (a dict of model, optimizer, files, epoch), which
// torch.load reads. One more entry, `bertha`, makes a resume bit-identical and carries config and
// vocabulary (io/weights/carried_texts.h). Only this file knows the layout of the rest.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bert/parameters.h"
#include "ops/optimizer_steps.h"
#include "optim/moment_store.h"

namespace bertha::train {

using Settings = std::vector<std::pair<std::string, std::string>>;

/// The `bertha` entry: what a run needs to continue itself.
struct RunRecord {
  std::string run_id;         ///< random; the same over all restarts of a run
  Settings settings;          ///< what makes two commands the same run
  int64_t rows_consumed = 0;  ///< position in the stream of training rows
  int64_t skipped_steps = 0;
  std::vector<std::string> written;  ///< names of this run's checkpoints, oldest first
};

/// A checkpoint without its tensors.
struct CheckpointState {
  int64_t step = 0;                ///< updates done in this phase
  std::vector<std::string> files;  ///< the epoch's shard order
  int64_t file_index = 0;          ///< one ahead of the shard being read
  int64_t epoch = 0;
  std::optional<RunRecord> run;  ///< absent in a file of the recipe
  /// Contents of vocab.txt, which a checkpoint with `run` carries; empty: not known.
  std::string vocabulary{};
  /// Of a run in fp8, for writing: the histories of all ranks [ranks, operands, kFp8History]
  /// (ParameterStore::read_fp8_histories); empty: none. load_fp8_histories() reads them.
  std::vector<float> fp8_histories{};
};

/// The optimizer's settings that a checkpoint's groups carry.
struct OptimizerRecord {
  double rate = 0;
  double initial_rate = 0;
  double warmup = 0;
  int64_t total_steps = 0;
  double max_gradient_norm = 1;
  bool bias_correction = true;
  ops::AdamSettings adam;
};

/// Writes weights, moments and state. After a crash the file is either complete or absent. With
/// ZeRO-1 the moments must have been gathered.
void save_checkpoint(const std::string& path, const bert::ParameterStore& parameters,
                     const optim::MomentStore& moments, const CheckpointState& state,
                     const OptimizerRecord& optimizer);

/// Checks the checksums of the whole file and reads its state, not its tensors. Throws Error when
/// the file is damaged or is not a checkpoint.
CheckpointState read_checkpoint_state(const std::string& path);

/// What became of the optimizer's moments of a file.
struct MomentsReport {
  bool taken = false;
  /// Why an optimizer state was left out, as "optimizer state 0 (…) is missing". Other programs
  /// save theirs in other forms. Then the moments are unchanged. Empty also when the file has none.
  std::string fault;
};

/// Loads weights and the optimizer's moments. Throws Error for a parameter that is missing or has
/// another shape, and for moments that do not fit in a checkpoint of this program: without them a
/// run cannot continue exactly.
MomentsReport load_checkpoint(const std::string& path, bert::ParameterStore& parameters,
                              optim::MomentStore& moments);

/// The histories that a checkpoint of `ranks` ranks holds for `operands` operands of each. Empty
/// where it has none or those of another number of ranks. Throws Error for another shape, and for a
/// value that is no magnitude.
std::vector<float> load_fp8_histories(const std::string& path, int64_t ranks, int64_t operands);

/// Loads the moments of a checkpoint, if it has any in the form of the recipe.
MomentsReport load_moments(const std::string& path, const bert::ParameterTable& table,
                           optim::MomentStore& moments);

}  // namespace bertha::train
