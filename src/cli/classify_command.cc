#include <cstdio>
#include <memory>
#include <utility>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/recipe_run.h"
#include "cli/stop.h"
#include "cli/text_task_arguments.h"
#include "core/error.h"
#include "cpython/literals.h"
#include "train/classification_run.h"

namespace bertha::cli {
namespace {

struct Typed {
  train::ClassificationOptions options;
  TextTaskArguments task;
};

void declare(Options& table, Typed& typed) {
  train::ClassificationOptions& o = typed.options;
  table.heading("files");
  table.file("train_file", o.train_file,
             "table of labelled texts to fine-tune on: TSV, CSV or JSON");
  table.file("eval_file", o.eval_file, "table of labelled texts to evaluate on");
  table.file("predict_file", o.predict_file,
             "table of texts to classify; the result is predictions.tsv");
  table.folder("output_dir", o.output_dir, "folder for the model and the predictions");
  table.required();
  table.value("text_column", o.columns.text,
              "column of the texts: its name, or its number from 1 if the first line has no names; "
              "default: the column names of GLUE's tasks");
  table.value("pair_column", o.columns.pair, "column of the second texts, for pairs");
  table.value("label_column", o.columns.label, "column of the labels");
  table.value("problem_type", o.problem_type,
              "single_label_classification, or regression on numbers; default: regression if all "
              "labels are numbers and one has a fraction");
  table.flag("all_probabilities", o.all_probabilities,
             "write the probability of every class to predictions.tsv");
  typed.task.declare(
      table, o, {.rows = "texts", .fresh = "the fresh classifier", .cut = "longer texts are cut"});
}

void print(const train::ClassificationResult& result) {
  const auto number = [](double value) { return cpython::repr_float(value); };
  fmt::print("{{\"rows\": {}", result.rows);
  if (!result.regression) {
    fmt::print(", \"accuracy\": {}, \"f1\": {}, \"matthews\": {}", number(result.accuracy),
               number(result.f1), number(result.matthews));
  }
  if (result.numeric) {
    fmt::print(", \"pearson\": {}, \"spearman\": {}", number(result.pearson),
               number(result.spearman));
  }
  if (result.regression) fmt::print(", \"mse\": {}", number(result.mean_squared_error));
  fmt::print("}}\n");
}

/// The part of one rank. With one rank this is the whole run.
int run_on(comm::Communicator& world, train::ClassificationOptions o, const Typed& typed,
           std::shared_ptr<const infer::ModelDefinition> definition) {
  const RankDevice own = open_on_rank(typed.task.training.device, world);
  Device* const device = own.device.get();
  o.arithmetic = typed.task.training.device.arithmetic(*device, !o.train_file.empty());
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
  Options table("bertha classify",
                "Fine-tunes a classifier of texts or pairs of texts, evaluates it and classifies "
                "texts. The evaluation gives accuracy, F1 and Matthews correlation, and Pearson's "
                "and Spearman's correlation if all labels are numbers; its last output line is "
                "JSON. Files are TSV like those of GLUE, CSV, JSON lines or JSON arrays. Ctrl-C or "
                "SIGTERM during training saves the "
                "state and ends with status 75; the same command then continues where it stopped.");
  table.example(
      "bertha classify --train-file=train.tsv --eval-file=dev.tsv --output-dir=sentiment "
      "--checkpoint=bert-base-uncased",
      "Fine-tune a classifier, then evaluate it");
  table.example(
      "bertha classify --predict-file=new.tsv --output-dir=results --checkpoint=sentiment",
      "Classify texts with it");
  declare(table, typed);
  table.parse(arguments);
  train::ClassificationOptions& o = typed.options;
  if (o.train_file.empty() && o.eval_file.empty() && o.predict_file.empty()) {
    fail("one of --train-file, --eval-file, --predict-file is needed");
  }
  const auto definition = std::make_shared<const infer::ModelDefinition>(typed.task.model.files());
  typed.task.settle(o);
  stop_on_signals();
  return on_all_ranks(typed.task.training.ranks, stop_requested, [&](comm::Communicator& world) {
    return run_on(world, o, typed, definition);
  });
}

}  // namespace bertha::cli
