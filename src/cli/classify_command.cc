#include <cstdio>
#include <memory>
#include <utility>

#include "cli/commands.h"
#include "cli/device_choice.h"
#include "cli/model_choice.h"
#include "cli/options.h"
#include "cli/ranks.h"
#include "cli/recipe_run.h"
#include "cli/stop.h"
#include "core/error.h"
#include "cpython/literals.h"
#include "train/classification_run.h"

namespace bertha::cli {
namespace {

struct Typed {
  train::ClassificationOptions options;
  ModelChoice model;
  DeviceChoice device;
  RankOptions ranks;
  bool disable_progress_bar = false;
};

void declare(Options& table, Typed& typed) {
  train::ClassificationOptions& o = typed.options;
  table.heading("files");
  table.value("train_file", o.train_file, "tab separated texts with labels, to fine-tune on");
  table.value("eval_file", o.eval_file, "the same, to evaluate on");
  table.value("predict_file", o.predict_file, "texts to classify: predictions.tsv");
  table.value("output_dir", o.output_dir, "folder of the model and the predictions");
  table.required();
  table.value("text_column", o.columns.text,
              "name of the column of texts, or its number from 1 where the first line has no "
              "names; default: the names of GLUE's tasks");
  table.value("pair_column", o.columns.pair, "the column of second texts");
  table.value("label_column", o.columns.label, "the column of labels");
  table.heading("model");
  typed.model.declare(table, "weights to start from, or a fine-tuned classifier");
  table.heading("training");
  table.value("max_seq_length", o.max_seq_length, "tokens at most; longer texts are cut");
  table.value("train_batch_size", o.train_batch_size, "texts an update, on each rank");
  table.value("predict_batch_size", o.predict_batch_size, "texts classified at a time");
  table.value("learning_rate", o.learning_rate, "highest learning rate");
  table.value("warmup_proportion", o.warmup_proportion, "share of the updates with a rising rate");
  table.value("num_train_epochs", o.num_train_epochs, "passes over the training file");
  table.value("seed", o.seed, "of the fresh classifier, dropout and order of texts");
  table.value("eval_steps", o.eval_steps,
              "updates between evaluations on --eval_file while training; 0: none");
  table.value(
      "num_steps_per_checkpoint", o.save_steps,
      "updates between saves of the state, fine_tuning.pt, from which the same command goes "
      "on; 0: when it is stopped alone");
  table.value("tensorboard_logdir", o.tensorboard_dir, "folder of TensorBoard event files");
  table.flag("disable-progress-bar", typed.disable_progress_bar, "no progress line");
  typed.device.declare(table);
  typed.ranks.declare(table);
}

void print(const train::ClassificationResult& result) {
  const auto number = [](double value) { return cpython::repr_float(value); };
  fmt::print("{{\"rows\": {}, \"accuracy\": {}, \"f1\": {}, \"matthews\": {}", result.rows,
             number(result.accuracy), number(result.f1), number(result.matthews));
  if (result.numeric) fmt::print(", \"pearson\": {}", number(result.pearson));
  fmt::print("}}\n");
}

/// One rank's part: the whole run where there is one rank.
int run_on(comm::Communicator& world, train::ClassificationOptions o, const Typed& typed,
           std::shared_ptr<const infer::ModelDefinition> definition) {
  const RankDevice own = open_on_rank(typed.device, world);
  Device* const device = own.device.get();
  o.bf16 = typed.device.bf16(*device);
  train::ClassificationRun run(o, std::move(definition), *device, *own.world);
  if (!o.train_file.empty() && run.train(stop_requested) == train::RunEnd::kStopped) {
    return stopped_status(false);
  }
  if (!o.eval_file.empty()) {
    const train::ClassificationResult result = run.evaluate();
    if (world.leads()) print(result);
  }
  if (!o.predict_file.empty()) run.predict();
  return 0;
}

}  // namespace

int run_classify(Arguments arguments) {
  Typed typed;
  Options table(
      "bertha classify",
      "Fine-tunes a classifier of texts or pairs of texts, evaluates it (accuracy, F1, "
      "Matthews correlation, and Pearson correlation where labels are numbers; the last "
      "line is JSON) and classifies. Files are tab separated, as GLUE's. Ctrl-C or SIGTERM "
      "while training saves and ends with status 75; the same command again goes on "
      "where it stopped.");
  declare(table, typed);
  if (!table.parse(arguments)) {
    std::fputs(table.help().c_str(), stdout);
    return 0;
  }
  train::ClassificationOptions& o = typed.options;
  if (o.train_file.empty() && o.eval_file.empty() && o.predict_file.empty()) {
    fail("one of --train_file, --eval_file, --predict_file is needed");
  }
  const auto definition = std::make_shared<const infer::ModelDefinition>(typed.model.files());
  if (o.eval_steps > 0 && o.eval_file.empty()) fail("--eval_steps needs --eval_file");
  o.progress = !typed.disable_progress_bar;
  typed.ranks.settle(o);
  stop_on_signals();
  return on_all_ranks(typed.ranks, stop_requested, [&](comm::Communicator& world) {
    return run_on(world, o, typed, definition);
  });
}

}  // namespace bertha::cli
