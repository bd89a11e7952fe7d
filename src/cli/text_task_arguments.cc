#include "cli/text_task_arguments.h"

#include <algorithm>

#include "core/error.h"

namespace bertha::cli {

void TextTaskArguments::declare(Options& table, train::TextTaskOptions& options,
                                const TextTaskWords& words) {
  table.heading("model");
  model.declare(table, "weights to start from, or a fine-tuned classifier");
  table.heading("training");
  table.value("max_seq_length", options.max_seq_length, "maximum number of tokens; " + words.cut);
  declare_batch_size(table, options, words.rows);
  table.value("predict_batch_size", options.predict_batch_size,
              "number of " + words.rows + " that are classified together");
  declare_learning_rate(table, options);
  table.value("num_train_epochs", options.num_train_epochs,
              "number of passes over the training file");
  declare_seed(table, options, words.fresh, words.rows);
  table.value("eval_steps", options.eval_steps,
              "number of updates between evaluations on --eval-file during training; 0: no "
              "evaluation during training");
  declare_state_saves(table, options);
  declare_overwrite(table, options, " or predictions");
  training.declare_displays(table, options);
  training.declare_device_and_ranks(table);
}

void refuse_shared_input(const comm::Communicator& world, std::span<const std::string> files) {
  const auto streams = std::count(files.begin(), files.end(), "-");
  if (streams > 1) fail("standard input can be one file only");
  if (streams > 0 && world.ranks() > 1) {
    fail("several ranks cannot share standard input: name a file in place of -");
  }
}

void TextTaskArguments::settle(train::TextTaskOptions& options) const {
  if (options.train_file == "-") fail("--train-file -: a run that may be resumed needs a file");
  if (options.eval_file == "-" && options.eval_steps > 0) {
    fail("--eval-file -: --eval-steps reads the file several times");
  }
  if (options.eval_steps > 0 && options.eval_file.empty()) fail("--eval-steps needs --eval-file");
  training.settle(options);
}

}  // namespace bertha::cli
