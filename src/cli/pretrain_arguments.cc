#include "cli/pretrain_arguments.h"

#include <cmath>

#include "bert/model_sizes.h"
#include "cli/training_options.h"
#include "core/error.h"

namespace bertha::cli {
namespace {

using train::PretrainingOptions;

void declare_data(Options& table, PretrainArguments& typed) {
  PretrainingOptions& o = typed.options;
  table.heading("data");
  table.folder("input_dir", o.input_dir, "folder of HDF5 shards, <dataset>_training_<i>.hdf5");
  table.required();
  table.value(
      "max_seq_length", o.max_seq_length,
      "number of tokens in a row as you expect it; the shards decide it, and another number "
      "is a warning");
  table.value("max_predictions_per_seq", o.max_predictions_per_seq,
              "maximum number of masked tokens that are read from a row");
  table.value(
      "enable_packed_data_mode", typed.packed,
      "the shards are packed, with several sequences in a row; if not given, the shards decide");
  table.folder("eval_dir", o.eval_dir,
               "folder of held-out shards, <dataset>_test_<i>.hdf5, to evaluate on");
  table.value("eval_interval", o.eval_interval,
              "number of steps between evaluations; 0: only at the end");
  table.value("eval_batches", o.eval_batches,
              "maximum number of micro-batches that an evaluation reads");
}

void declare_model(Options& table, PretrainArguments& typed) {
  PretrainingOptions& o = typed.options;
  table.heading("model");
  declare_config(table, o, "--size decides");
  table.choice("size", o.size, bert::model_sizes(),
               "a model of this size, for the vocabulary of --vocab-file");
  table.file("vocab_file", o.vocab_file,
             "vocabulary of the shards, to be kept with the checkpoints; if not given: vocab.txt "
             "beside --config-file, if it is there");
  typed.run.declare_model_name(table);
  table.file("init_checkpoint", o.init_checkpoint,
             "weights to start from at step 0, with moments if the file has them");
  table.choice("init", typed.init, {"recipe", "bert"},
               "initial weights. recipe: layers with an activation are uniform in 1/sqrt(inputs); "
               "bert: all are normal");
  declare_recomputation(table, o);
}

void declare_optimisation(Options& table, PretrainArguments& typed) {
  PretrainingOptions& o = typed.options;
  table.heading("optimisation");
  declare_batch_size(table, o, "rows");
  declare_accumulation(table, o, "rows");
  declare_learning_rate(table, o);
  table.value("max_steps", typed.max_steps, "number of updates of this phase");
  table.value("steps_this_run", o.steps_this_run,
              "stop at this step, counted from the start of the phase; -1: at the last step");
  table.choice("optimizer", typed.optimizer, {"lamb", "adamw"}, "optimizer of the weights");
  declare_seed(table, o, "initial weights", "rows");
  table.flag("do_train", typed.do_train, "train (required, as in the recipe)");
}

void declare_run(Options& table, PretrainArguments& typed) {
  PretrainingOptions& o = typed.options;
  table.heading("checkpoints and phases");
  table.folder("output_dir", o.output_dir, "folder for checkpoints, losses.tsv and loss.svg");
  table.required();
  table.value("num_steps_per_checkpoint", o.num_steps_per_checkpoint,
              "number of steps between checkpoints; the three newest of a run are kept");
  table.flag("skip_checkpoint", o.skip_checkpoint, "write no checkpoint");
  table.flag("resume_from_checkpoint", o.resume_from_checkpoint,
             "continue from the newest checkpoint in --output-dir, whichever command wrote it; the "
             "same command continues from its own checkpoints without this option");
  table.value("resume_step", o.resume_step, "number of the checkpoint; -1: the newest");
  table.flag("phase2", o.phase2, "second phase: steps are counted from --phase1-end-step");
  table.value("phase1_end_step", o.phase1_end_step,
              "number of the last checkpoint of the first phase");
  table.heading("log");
  typed.run.declare_log(table, o);
  table.value("log_freq", typed.log_freq, "number of steps between log records");
  table.value("profile", typed.profile,
              "at the end, print to standard error where the time went, op by op (rank 0, CPU)");
}

void declare_accepted(Options& table) {
  table.accepted("init_loss_scale", true, "bf16 has the range of fp32 and needs no loss scale",
                 "1048576");
  table.accepted("num_train_epochs", true,
                 "--max-steps decides how long to train, as in the recipe", "3.0");
  table.accepted("allreduce_post_accumulation", false, "gradients are always reduced once a step");
  table.accepted("allreduce_post_accumulation_fp16", false,
                 "gradients are reduced in fp32, as on Gaudi");
  table.accepted("use_fused_lamb", false, "LAMB is always one fused pass");
  table.accepted("use-hpu-graphs", true,
                 "a GPU always replays steps as graphs; the CPU uses prepared primitives", "False");
  table.accepted("profile_steps", true, "--profile covers all steps of the run", "'0'");
}

/// A count that the recipe's parser reads as a float: "10", "1e3", "7038.0".
int64_t whole(const char* name, double value) {
  if (!(value >= 1 && value < 1e15)) fail("--{} is {}; it must be at least 1", name, value);
  return std::llround(std::floor(value));
}

}  // namespace

void PretrainArguments::declare(Options& table) {
  table.example(
      "bertha pretrain --do-train --input-dir=shards/128 --config-file=bert_config.json "
      "--output-dir=results --enable-packed-data-mode=false --max-seq-length=128 --max-steps=7038",
      "Phase 1 on rows of 128 tokens");
  table.example(
      "bertha pretrain --do-train --phase2 --resume-from-checkpoint --phase1-end-step=7038 "
      "--input-dir=shards/512 --config-file=bert_config.json --output-dir=results "
      "--max-seq-length=512 --max-predictions-per-seq=80 --max-steps=1563",
      "Phase 2, from the last checkpoint of phase 1");
  declare_data(table, *this);
  declare_model(table, *this);
  declare_optimisation(table, *this);
  declare_run(table, *this);
  run.declare_rest(table, "0.0");
  declare_accepted(table);
}

PretrainingOptions PretrainArguments::settle(const Options& table) const {
  PretrainingOptions o = options;
  if (!do_train) fail("--do-train is required: bertha pretrain does nothing else");
  if (o.config_file.empty() == o.size.empty()) {
    fail("bertha pretrain: give either --config-file or --size");
  }
  if (!o.size.empty() && !o.vocab_file) fail("--size {} needs --vocab-file", o.size);
  o.max_steps = whole("max-steps", max_steps);
  o.log_freq = whole("log-freq", log_freq);
  o.optimizer = optimizer == "lamb" ? optim::OptimizerKind::kLamb : optim::OptimizerKind::kAdamW;
  o.init = init == "recipe" ? bert::InitStyle::kRecipe : bert::InitStyle::kBert;
  if (table.given("enable_packed_data_mode")) o.packed = packed;
  return o;
}

}  // namespace bertha::cli
