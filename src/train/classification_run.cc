#include "train/classification_run.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "bert/weights.h"
#include "core/error.h"
#include "io/archive/crc32.h"
#include "io/atomic_file.h"
#include "tasks/classification/classification_metrics.h"
#include "train/model_folder.h"
#include "train/pretraining_options.h"
#include "train/ranks.h"

namespace bertha::train {
namespace {

void warn(const tasks::LabelledTexts& file) {
  for (const std::string& line : file.problems.lines()) spdlog::warn("{}: {}", file.path, line);
}

bool to_number(const std::string& text, double& number) {
  const char* const end = text.data() + text.size();
  const auto [rest, bad] = std::from_chars(text.data(), end, number);
  return bad == std::errc() && rest == end && std::isfinite(number);
}

/// The numbers of all labels; empty when one is none.
std::vector<double> numbers_of(const std::vector<std::string>& labels) {
  std::vector<double> numbers(labels.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    if (!to_number(labels[i], numbers[i])) return {};
  }
  return numbers;
}

std::vector<double> softmax(std::span<const float> logits) {
  const double largest = double{*std::max_element(logits.begin(), logits.end())};
  std::vector<double> result;
  double sum = 0;
  for (const float logit : logits) {
    result.push_back(std::exp(double{logit} - largest));
    sum += result.back();
  }
  for (double& probability : result) probability /= sum;
  return result;
}

int32_t best_of(const std::vector<double>& probabilities) {
  return static_cast<int32_t>(std::max_element(probabilities.begin(), probabilities.end()) -
                              probabilities.begin());
}

void make_folder(const std::string& path) {
  std::error_code failure;
  std::filesystem::create_directories(path, failure);
  if (failure) fail("{}: cannot make this folder: {}", path, failure.message());
}

std::vector<std::string> read_labels(const std::string& path) {
  const io::MappedFile file(path);
  std::vector<std::string> labels;
  std::string_view rest = file.text();
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    labels.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return labels;
}

}  // namespace

ClassificationRun::ClassificationRun(const ClassificationOptions& options,
                                     const text::Tokenizer& tokenizer, Device& device,
                                     comm::Communicator& world)
    : options_(options), tokenizer_(tokenizer), device_(device), world_(world) {
  if (options_.max_seq_length < 8 ||
      options_.max_seq_length > options_.config.max_position_embeddings) {
    fail("--max_seq_length is {}; expected 8 to {} (max_position_embeddings)",
         options_.max_seq_length, options_.config.max_position_embeddings);
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
  namespace fs = std::filesystem;
  if (!options_.train_file.empty()) {
    training_ = tasks::read_labelled_texts(options_.train_file, options_.columns);
    warn(training_);
    if (!training_.labelled) {
      fail("{}: no column of labels; name it with --label_column", options_.train_file);
    }
    for (const tasks::LabelledText& row : training_.rows) labels_.push_back(row.label);
    std::sort(labels_.begin(), labels_.end());
    labels_.erase(std::unique(labels_.begin(), labels_.end()), labels_.end());
  } else {
    const fs::path weights = options_.init_checkpoint;
    const fs::path folder = fs::is_directory(weights) ? weights : weights.parent_path();
    labels_ = read_labels((folder / "labels.txt").string());
  }
  constexpr int64_t kMaxClasses = 1000;
  if (labels_.size() < 2 || std::ssize(labels_) > kMaxClasses) {
    fail("{} different labels; expected 2 to {}", labels_.size(), kMaxClasses);
  }
}

void ClassificationRun::load_model() {
  const bool training = !options_.train_file.empty();
  parameters_ = std::make_unique<bert::ParameterStore>(
      device_, options_.config, bert::Heads{.classes = std::ssize(labels_)},
      options_.bf16 ? DType::kBF16 : DType::kF32, training);
  const bert::LoadReport report =
      bert::load_weights(options_.init_checkpoint, *parameters_,
                         {.config = options_.config, .seed = static_cast<uint64_t>(options_.seed)});
  for (const std::string& line : report.lines()) spdlog::info("{}", line);
  broadcast_weights(world_, *parameters_);
  model_ = std::make_unique<bert::ClassificationModel>(options_.config, *parameters_);
}

int32_t ClassificationRun::class_of(const std::string& label) const {
  const auto found = std::find(labels_.begin(), labels_.end(), label);
  return found == labels_.end() ? -1 : static_cast<int32_t>(found - labels_.begin());
}

void ClassificationRun::append(const tasks::LabelledText& row, bool pairs, TaskBatch& batch) const {
  tasks::append_text(row, pairs, tokenizer_, options_.max_seq_length, batch);
  batch.labels.push_back(class_of(row.label));
}

RunEnd ClassificationRun::train(const std::atomic<bool>& stop) {
  if (world_.leads()) make_folder(options_.output_dir);
  FineTuningRun training(job(), device_, *parameters_, *model_, world_);
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
    append(training_.rows[static_cast<size_t>(row)], training_.pairs, batch);
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
                  {"init_checkpoint", o.init_checkpoint},
                  {"texts an update over all ranks", text(job.micro_batch)},
                  {"learning_rate", text(o.learning_rate)},
                  {"num_train_epochs", text(o.num_train_epochs)},
                  {"warmup_proportion", text(o.warmup_proportion)},
                  {"seed", text(o.seed)},
                  {"max_seq_length", text(o.max_seq_length)},
                  {"precision", o.bf16 ? "bf16" : "fp32"},
                  {"config_file", bert::recipe_config_json(o.config)}};
  job.folder = o.output_dir;
  job.save_steps = o.save_steps;
  job.weight_check_interval = o.weight_check_interval;
  job.tensorboard_dir = o.tensorboard_dir;
  job.progress = o.progress;
  job.eval_steps = o.eval_steps;
  job.evaluate = [this] { return scores(); };
  return job;
}

/// As fine-tuning shows them.
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
                      .vocabulary = &tokenizer_.vocabulary(),
                      .tokenizer = tokenizer_.options()},
                     options_.config, *parameters_);
  std::string lines;
  for (const std::string& label : labels_) lines += label + "\n";
  io::write_file(options_.output_dir + "/labels.txt", lines);
}

std::vector<std::vector<double>> ClassificationRun::probabilities(
    const tasks::LabelledTexts& file) {
  const int64_t rows = std::ssize(file.rows);
  const int64_t batch_size = std::min(options_.predict_batch_size, rows);
  TaskPredictor predictor(device_, *parameters_, *model_, batch_size * options_.max_seq_length,
                          batch_size);
  std::vector<std::vector<double>> result;
  const auto fill = [&](int64_t batch, RaggedBatch& to) {
    for (int64_t i = batch * batch_size; i < std::min(rows, (batch + 1) * batch_size); ++i) {
      tasks::append_text(file.rows[static_cast<size_t>(i)], file.pairs, tokenizer_,
                         options_.max_seq_length, to);
    }
  };
  const auto use = [&](int64_t, const RaggedBatch&, std::span<const float> logits) {
    for (; !logits.empty(); logits = logits.subspan(labels_.size())) {
      result.push_back(softmax(logits.first(labels_.size())));
    }
  };
  predict_batches(predictor,
                  {.batches = (rows + batch_size - 1) / batch_size, .fill = fill, .use = use},
                  world_);
  return result;
}

ClassificationResult ClassificationRun::evaluate() {
  tasks::LabelledTexts file = tasks::read_labelled_texts(options_.eval_file, options_.columns);
  if (!file.labelled) fail("{}: no column of labels to compare with", options_.eval_file);
  std::erase_if(file.rows, [&](const tasks::LabelledText& row) {
    const bool unknown = class_of(row.label) < 0;
    if (unknown) file.problems.add("label that training did not have, row left out", row.label);
    return unknown;
  });
  warn(file);
  if (file.rows.empty()) fail("{}: no row to evaluate", options_.eval_file);
  const std::vector<double> numbers = numbers_of(labels_);
  std::vector<int32_t> predicted;
  std::vector<int32_t> truth;
  std::vector<double> expected_values;
  std::vector<double> true_values;
  const std::vector<std::vector<double>> found = probabilities(file);
  if (!world_.leads()) return {};
  for (const std::vector<double>& of : found) {
    const int32_t label = class_of(file.rows[predicted.size()].label);
    predicted.push_back(best_of(of));
    truth.push_back(label);
    double value = 0;
    for (size_t c = 0; c < numbers.size(); ++c) value += of[c] * numbers[c];
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
  warn(file);
  std::string lines = "index\tprediction\tprobability\n";
  int64_t index = 0;
  const std::vector<std::vector<double>> found = probabilities(file);
  if (!world_.leads()) return;
  for (const std::vector<double>& of : found) {
    const auto best = static_cast<size_t>(best_of(of));
    lines += fmt::format("{}\t{}\t{:.6f}\n", index++, labels_[best], of[best]);
  }
  make_folder(options_.output_dir);
  io::write_file(options_.output_dir + "/predictions.tsv", lines);
}

}  // namespace bertha::train
