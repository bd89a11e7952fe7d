#include "train/classification_run.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "bert/classification.h"
#include "bert/export.h"
#include "core/error.h"
#include "core/strings.h"
#include "io/archive/crc32.h"
#include "io/atomic_file.h"
#include "io/atomic_folder.h"
#include "tasks/classification/classification_metrics.h"
#include "text/unknown_share.h"
#include "train/model_folder_writer.h"
#include "train/pretraining_options.h"
#include "train/rank_agreement.h"

namespace bertha::train {
namespace {

/// Reports what is wrong with a file's rows, and the share of unknown tokens.
void report(const tasks::LabelledTexts& file, const text::Tokenizer& tokenizer) {
  for (const std::string& line : file.problems.lines()) spdlog::warn("{}: {}", file.path, line);
  text::UnknownShare share;
  std::vector<int32_t> ids;
  for (const tasks::LabelledText& row : file.rows) {
    tokenizer.encode(row.text, ids);
    if (const auto pair = file.pair_of(row)) tokenizer.encode(*pair, ids);
    share.add(ids, tokenizer.specials().unk);
    ids.clear();
  }
  spdlog::info("{}: {}", file.path, share.text(tokenizer));
  const std::string warning = share.warning(tokenizer, file.path);
  if (!warning.empty()) spdlog::warn("{}", warning);
}

bool to_number(const std::string& text, double& number) {
  const char* const end = text.data() + text.size();
  const auto [rest, bad] = std::from_chars(text.data(), end, number);
  return bad == std::errc() && rest == end && std::isfinite(number);
}

/// The labels as numbers; empty when a label is not a number.
std::vector<double> numbers_of(const std::vector<std::string>& labels) {
  std::vector<double> numbers(labels.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    if (!to_number(labels[i], numbers[i])) return {};
  }
  return numbers;
}

/// The columns of a prediction and its probability.
std::string prediction_of(const infer::ClassifyResult& result,
                          const std::vector<std::string>& labels, infer::ProblemType problem) {
  const std::vector<double>& values = result.probabilities;
  if (problem == infer::ProblemType::kRegression) return fmt::format("{:.6f}\t", values[0]);
  if (problem == infer::ProblemType::kSingleLabel) {
    const auto best = static_cast<size_t>(result.best);
    return fmt::format("{}\t{:.6f}", labels[best], values[best]);
  }
  std::vector<std::string> names;
  std::vector<std::string> probabilities;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] < 0.5) continue;
    names.push_back(labels[i]);
    probabilities.push_back(fmt::format("{:.6f}", values[i]));
  }
  return join(names, ",") + "\t" + join(probabilities, ",");
}

}  // namespace

ClassificationRun::ClassificationRun(const ClassificationOptions& options,
                                     std::shared_ptr<const infer::ModelDefinition> definition,
                                     Device& device, comm::Communicator& world)
    : options_(options), definition_(std::move(definition)), device_(device), world_(world) {
  if (options_.max_seq_length < 8 || options_.max_seq_length > config().max_tokens()) {
    fail("--max_seq_length is {}; expected 8 to {} (max_position_embeddings)",
         options_.max_seq_length, config().max_tokens());
  }
  if (options_.train_batch_size < 1 || options_.predict_batch_size < 1) {
    fail("batch sizes must be 1 or more");
  }
  if (options_.eval_steps < 0 || options_.save_steps < 0) {
    fail("--eval_steps and --num_steps_per_checkpoint must be 0 or more");
  }
  if (options_.num_train_epochs < 1) fail("--num_train_epochs must be 1 or more");
  find_labels();
  load_model();
}

void ClassificationRun::find_labels() {
  if (!options_.train_file.empty()) {
    training_ = tasks::read_labelled_texts(options_.train_file, options_.columns);
    report(training_, tokenizer());
    if (!training_.labelled) {
      fail("{}: no column of labels; name it with --label_column", options_.train_file);
    }
    for (const tasks::LabelledText& row : training_.rows) labels_.push_back(row.label);
    std::sort(labels_.begin(), labels_.end());
    labels_.erase(std::unique(labels_.begin(), labels_.end()), labels_.end());
  } else {
    check_class();
    labels_ = infer::read_labels(definition_->files(), definition_->head());
    problem_ = infer::problem_type_of(definition_->head(), std::ssize(labels_));
  }
  constexpr int64_t kMaxClasses = 1000;
  const int64_t least = problem_ == infer::ProblemType::kSingleLabel ? 2 : 1;
  if (std::ssize(labels_) < least || std::ssize(labels_) > kMaxClasses) {
    fail("{} different labels; expected {} to {}", labels_.size(), least, kMaxClasses);
  }
}

void ClassificationRun::check_class() const {
  const std::string& name = definition_->head().architecture;
  const std::optional<bert::ModelClass> said = bert::class_named(name);
  if (said == bert::ModelClass::kTokenClassification || said == bert::ModelClass::kMultipleChoice) {
    fail("{}: the model is a {}, expected a classifier of texts", definition_->files().weights,
         name);
  }
}

void ClassificationRun::load_model() {
  model_ = infer::Model::open(
      definition_, device_,
      {.purpose = infer::Purpose::kClassify,
       .classes = std::ssize(labels_),
       .compute = options_.bf16 ? DType::kBF16 : DType::kF32,
       .trainable = !options_.train_file.empty(),
       .seed = static_cast<uint64_t>(options_.seed),
       .on_missing = [](const std::string& warning) { spdlog::warn("{}", warning); }});
  for (const std::string& line : model_->report().weights.lines()) spdlog::info("{}", line);
  broadcast_weights(world_, model_->parameters());
}

int32_t ClassificationRun::class_of(const std::string& label) const {
  const auto found = std::find(labels_.begin(), labels_.end(), label);
  return found == labels_.end() ? -1 : static_cast<int32_t>(found - labels_.begin());
}

void ClassificationRun::append(const tasks::LabelledText& row, TaskBatch& batch) const {
  tasks::append_text(row.text, training_.pair_of(row), tokenizer(), options_.max_seq_length, batch);
  batch.labels.push_back(class_of(row.label));
}

RunEnd ClassificationRun::train(const std::atomic<bool>& stop) {
  if (world_.leads()) io::make_folder(options_.output_dir);
  bert::ClassificationModel trained(config(), model_->parameters());
  FineTuningRun training(job(), device_, model_->parameters(), trained, log_, world_);
  if (training.run(stop) == RunEnd::kStopped) return RunEnd::kStopped;
  if (world_.leads()) save();
  training.discard_state();
  return RunEnd::kFinished;
}

FineTuningJob ClassificationRun::job() {
  const ClassificationOptions& o = options_;
  FineTuningJob job;
  job.rows = std::ssize(training_.rows);
  job.append = [this](int64_t row, TaskBatch& batch) {
    append(training_.rows[static_cast<size_t>(row)], batch);
  };
  job.max_tokens_a_row = o.max_seq_length;
  job.micro_batch = o.train_batch_size * world_.ranks();
  job.epochs = o.num_train_epochs;
  const int64_t steps = (job.rows + job.micro_batch - 1) / job.micro_batch;
  job.schedule = {.kind = optim::ScheduleKind::kLinearWarmUp,
                  .base_rate = o.learning_rate,
                  .warmup = o.warmup_proportion,
                  .total_updates = steps * o.num_train_epochs};
  job.trainer = {.seed = static_cast<uint64_t>(o.seed), .sums = o.sums};
  job.trainer.optimizer.zero = o.zero;
  const auto text = [](auto value) { return fmt::format("{}", value); };
  const io::MappedFile file(o.train_file);
  job.settings = {{kDataSetting, fmt::format("{} texts of a file with CRC {:08x}", job.rows,
                                             io::crc32(file.bytes()))},
                  {"init_checkpoint", definition_->files().weights},
                  {"texts an update over all ranks", text(job.micro_batch)},
                  {"learning_rate", text(o.learning_rate)},
                  {"num_train_epochs", text(o.num_train_epochs)},
                  {"warmup_proportion", text(o.warmup_proportion)},
                  {"seed", text(o.seed)},
                  {"max_seq_length", text(o.max_seq_length)},
                  {"precision", o.bf16 ? "bf16" : "fp32"},
                  {"config_file", bert::recipe_config_json(config())}};
  job.folder = o.output_dir;
  job.save_steps = o.save_steps;
  job.weight_check_interval = o.weight_check_interval;
  job.tensorboard_dir = o.tensorboard_dir;
  job.progress = o.progress;
  job.eval_steps = o.eval_steps;
  job.evaluate = [this] { return scores(); };
  return job;
}

/// The scores under the names that the log and the pictures of fine-tuning show.
runlog::Scores ClassificationRun::scores() {
  const ClassificationResult result = evaluate();
  runlog::Scores scores = {{"matthews", result.matthews}, {"F1", result.f1}};
  if (result.numeric) scores.emplace_back("pearson", result.pearson);
  scores.emplace_back("accuracy", result.accuracy);
  return scores;
}

void ClassificationRun::save() const {
  write_model_folder({.folder = options_.output_dir,
                      .model = bert::ModelClass::kClassification,
                      .vocabulary = &definition_->vocabulary(),
                      .tokenizer = tokenizer().options(),
                      .head = {.labels = labels_}},
                     config(), model_->parameters());
  std::string lines;
  for (const std::string& label : labels_) lines += label + "\n";
  io::write_file(options_.output_dir + "/labels.txt", lines);
}

std::vector<infer::ClassifyResult> ClassificationRun::classify(const tasks::LabelledTexts& file) {
  if (!classify_) {
    classify_ = std::make_unique<infer::ClassifyTask>(
        *model_, infer::ClassifySettings{.max_tokens = options_.max_seq_length,
                                         .batch_texts = options_.predict_batch_size,
                                         .problem = problem_});
  }
  std::vector<infer::ClassifyRequest> requests;
  for (const tasks::LabelledText& row : file.rows) {
    requests.push_back({.text = row.text, .pair = file.pair_of(row)});
  }
  return classify_->run(requests, world_);
}

ClassificationResult ClassificationRun::evaluate() {
  if (problem_ != infer::ProblemType::kSingleLabel) {
    fail(
        "--eval_file: the model's config says {}; only classifiers with one label for each text "
        "are evaluated",
        problem_ == infer::ProblemType::kRegression ? "regression" : "multi_label_classification");
  }
  tasks::LabelledTexts file = tasks::read_labelled_texts(options_.eval_file, options_.columns);
  if (!file.labelled) fail("{}: no column of labels to compare with", options_.eval_file);
  std::erase_if(file.rows, [&](const tasks::LabelledText& row) {
    const bool unknown = class_of(row.label) < 0;
    if (unknown) file.problems.add("label that training did not have, row left out", row.label);
    return unknown;
  });
  report(file, tokenizer());
  if (file.rows.empty()) fail("{}: no row to evaluate", options_.eval_file);
  const std::vector<double> numbers = numbers_of(labels_);
  std::vector<int32_t> predicted;
  std::vector<int32_t> truth;
  std::vector<double> expected_values;
  std::vector<double> true_values;
  const std::vector<infer::ClassifyResult> found = classify(file);
  if (!world_.leads()) return {};
  for (const infer::ClassifyResult& result : found) {
    const int32_t label = class_of(file.rows[predicted.size()].label);
    predicted.push_back(static_cast<int32_t>(result.best));
    truth.push_back(label);
    double value = 0;
    for (size_t c = 0; c < numbers.size(); ++c) value += result.probabilities[c] * numbers[c];
    expected_values.push_back(value);
    true_values.push_back(numbers.empty() ? 0 : numbers[static_cast<size_t>(label)]);
  }
  const tasks::ClassificationScores scores =
      tasks::score_classes(predicted, truth, std::ssize(labels_));
  return {.rows = std::ssize(truth),
          .accuracy = scores.accuracy,
          .f1 = scores.f1,
          .matthews = scores.matthews,
          .pearson = tasks::pearson(expected_values, true_values),
          .numeric = !numbers.empty()};
}

void ClassificationRun::predict() {
  const tasks::LabelledTexts file =
      tasks::read_labelled_texts(options_.predict_file, options_.columns);
  report(file, tokenizer());
  std::string lines = "index\tprediction\tprobability\n";
  int64_t index = 0;
  const std::vector<infer::ClassifyResult> found = classify(file);
  if (!world_.leads()) return;
  for (const infer::ClassifyResult& result : found) {
    lines += fmt::format("{}\t{}\n", index++, prediction_of(result, labels_, problem_));
  }
  io::make_folder(options_.output_dir);
  io::write_file(options_.output_dir + "/predictions.tsv", lines);
}

}  // namespace bertha::train
