#include "cli/squad_arguments.h"

#include <spdlog/spdlog.h>

#include <cmath>

#include "cli/model_choice.h"
#include "core/error.h"

namespace bertha::cli {
namespace {

using train::SquadOptions;

void declare_files(Options& table, SquadArguments& typed) {
  SquadOptions& o = typed.options;
  table.heading("what to do");
  table.flag("do_train", typed.do_train, "fine-tune on --train-file");
  table.flag("do_predict", typed.do_predict,
             "answer --predict-file; the results are predictions.json and nbest_predictions.json");
  table.flag("do_eval", o.do_eval, "score the predictions: exact match and F1");
  table.file("train_file", o.train_file, "SQuAD file to fine-tune on");
  table.file("predict_file", o.predict_file, "SQuAD file to answer");
  table.folder("output_dir", o.output_dir, "folder for the fine-tuned model and the predictions");
  table.required();
  table.heading("model");
  table.file("init_checkpoint", o.init_checkpoint,
             "weights to start from: ckpt_*.pt, pytorch_model.bin, a Hugging Face folder or a "
             "TensorFlow checkpoint");
  table.required();
  declare_config(table, o, "the one beside the weights");
  table.file("vocab_file", o.vocab_file,
             "vocab.txt; if not given: the vocabulary beside the weights, or the one that a "
             "checkpoint carries");
  typed.run.declare_model_name(table);
  table.flag("do_lower_case", o.lower_case, "the vocabulary is uncased");
  table.choice("token-rules", typed.rules, {"recipe", "hf"}, "rules for rare characters");
}

void declare_features(Options& table, SquadArguments& typed) {
  SquadOptions& o = typed.options;
  table.heading("windows and answers");
  table.value("max_seq_length", o.features.max_seq_length, "maximum number of tokens in a window");
  table.value("doc_stride", o.features.doc_stride,
              "number of tokens between the starts of two windows");
  table.value("max_query_length", o.features.max_query_length,
              "maximum number of tokens in a question");
  table.value("n_best_size", o.answers.n_best_size,
              "number of starts and ends that are tried in a window, and of answers that are kept "
              "for a question");
  table.value("max_answer_length", o.answers.max_answer_length,
              "maximum number of tokens in an answer");
  table.flag("version_2_with_negative", o.answers.version_2, "questions may have no answer");
  table.value("null_score_diff_threshold", o.answers.null_threshold,
              "give no answer if \"no answer\" scores better by more than this");
  table.value("max_train_questions", o.max_questions,
              "train on this many questions from the start of --train-file; -1: all questions");
}

void declare_optimisation(Options& table, SquadArguments& typed) {
  SquadOptions& o = typed.options;
  table.heading("optimisation");
  declare_batch_size(table, o, "windows");
  declare_accumulation(table, o, "windows");
  table.value("predict_batch_size", o.predict_batch_size,
              "number of windows that are predicted together");
  declare_learning_rate(table, o);
  table.value("num_train_epochs", o.num_train_epochs,
              "number of passes over the windows, rounded down");
  table.value("max_steps", typed.max_steps,
              "stop after this many updates; the schedule stays that of the epochs");
  table.flag("use_fused_adam", o.fused_adam,
             "the first update has a learning rate above 0, and gradients are clipped by their "
             "global norm alone; without this option as the recipe's BertAdam");
  table.flag("per_param_grad_clipping", o.clip_each,
             "with --use-fused-adam: also clip the gradient of each parameter, as BertAdam does");
  table.flag("adam-bias-correction", o.bias_correction,
             "correct the bias of Adam's moments in the first updates, which the recipe does not "
             "do; gives better scores when training is short");
  declare_seed(table, o, "a fresh head", "windows");
  table.flag("no-dropout", typed.no_dropout, "train without dropout, for comparisons");
  declare_recomputation(table, o);
  table.flag("skip_checkpoint", o.skip_checkpoint, "do not write the fine-tuned model");
  declare_state_saves(table, o);
  declare_overwrite(table, o, "");
  table.heading("evaluation while training");
  table.value("eval_steps", o.eval_steps,
              "number of updates between evaluations on --predict-file: exact match and F1 in the "
              "logs and in loss.svg; 0: none");
  table.value("eval_questions", o.eval_questions,
              "evaluate on this many questions from the start of the file; -1: all questions");
  table.heading("log");
  typed.run.declare_log(table, o);
  table.value("log_freq", o.log_freq, "number of micro-batches between log records");
  table.value("throughput_warmup_steps", o.throughput_warmup_steps,
              "number of first steps that the speed in the log leaves out");
}

void declare_accepted(Options& table) {
  table.accepted("eval_script", true, "the scores are computed here; no script is run");
  table.accepted("skip_cache", false, "features are computed in seconds; there is no cache");
  table.accepted("cache_dir", true, "features are computed in seconds; there is no cache");
  table.accepted("verbose_logging", false, "faults in a file are always counted and named");
  table.accepted("use_hpu_graphs", false,
                 "a GPU always replays prediction as a graph; the CPU uses prepared primitives");
  table.accepted("profile", true, "bench/ has a profile by operation");
  table.accepted("profile_steps", true, "bench/ has a profile by operation");
  table.accepted("compiled_autograd", false, "there is no autograd");
}

}  // namespace

void SquadArguments::declare(Options& table) {
  declare_files(table, *this);
  declare_features(table, *this);
  declare_optimisation(table, *this);
  run.declare_rest(table, "0");
  declare_accepted(table);
}

train::SquadOptions SquadArguments::settle() const {
  train::SquadOptions o = options;
  check_weights_name(o.init_checkpoint);
  if (!do_train && !do_predict) fail("at least one of --do-train, --do-predict is needed");
  if (do_train && o.train_file.empty()) fail("--do-train needs --train-file");
  if (do_predict && o.predict_file.empty()) fail("--do-predict needs --predict-file");
  if (o.do_eval && !do_predict) {
    spdlog::warn("--do-eval does nothing without --do-predict");
    o.do_eval = false;
  }
  if (o.eval_steps > 0 && do_train && o.predict_file.empty()) {
    fail("--eval-steps needs --predict-file");
  }
  o.eval_file = o.predict_file;
  if (!do_train) o.train_file.clear();
  if (!do_predict) o.predict_file.clear();
  if (!std::isfinite(max_steps)) fail("--max-steps is {}", max_steps);
  o.max_steps = max_steps > 0 ? std::llround(std::ceil(max_steps)) : -1;
  o.rules = text::parse_token_rules(rules);
  o.features.version_2 = o.answers.version_2;
  o.dropout = !no_dropout;
  return o;
}

}  // namespace bertha::cli
