#include "train/classification_run.h"

#include <spdlog/spdlog.h>

#include <span>

#include "bert/classification.h"
#include "core/error.h"
#include "core/strings.h"
#include "io/atomic_file.h"
#include "io/atomic_folder.h"
#include "tasks/classification/classification_metrics.h"
#include "text/unknown_share.h"

namespace bertha::train {
namespace {

constexpr const char* kRegression = "regression";
constexpr const char* kClassification = "single_label_classification";

/// Reports what is wrong with a file's rows, and the share of unknown tokens.
void report(const tasks::LabelledTexts& file, const text::Tokenizer& tokenizer) {
  for (const std::string& note : file.notes) spdlog::info("{}: {}", file.path, note);
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

/// The number that a prediction stands for: of regression, or the mean over numbers of classes.
double predicted_number(const infer::ClassifyResult& result, const tasks::LabelSet& labels) {
  if (labels.is_regression()) return result.probabilities.front();
  double value = 0;
  for (size_t c = 0; c < labels.numbers().size(); ++c) {
    value += result.probabilities[c] * labels.numbers()[c];
  }
  return value;
}

ClassificationResult score_numbers(std::span<const double> predicted,
                                   std::span<const double> truth) {
  ClassificationResult result;
  result.rows = std::ssize(truth);
  result.numeric = true;
  result.pearson = tasks::pearson(predicted, truth);
  result.spearman = tasks::spearman(predicted, truth);
  result.mean_squared_error = tasks::mean_squared_error(predicted, truth);
  return result;
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
  check_options(options_, config());
  find_labels();
  model_ =
      open_text_model(options_, definition_, device_, infer::Purpose::kClassify, outputs_, world_);
}

void ClassificationRun::find_labels() {
  const std::string& type = options_.problem_type;
  if (!type.empty() && type != kRegression && type != kClassification) {
    fail("--problem-type {}: expected {} or {}", type, kRegression, kClassification);
  }
  if (!options_.train_file.empty()) {
    training_ = tasks::read_labelled_texts(options_.train_file, options_.columns);
    training_.keep_labelled();
    report(training_, tokenizer());
  }
  if (options_.train_file.empty()) {
    labels_ = labels_of_model();
  } else {
    labels_ = labels_to_train();
    outputs_ = labels_.outputs();
    if (labels_.is_regression()) problem_ = infer::ProblemType::kRegression;
  }
  if (options_.all_probabilities && labels_.is_regression()) {
    fail("--all-probabilities: regression predicts numbers, which have no probabilities");
  }
}

tasks::LabelSet ClassificationRun::labels_to_train() const {
  const bool suggested = tasks::suggests_regression(training_.rows);
  const std::string& type = options_.problem_type;
  if (type.empty() ? !suggested : type == kClassification) {
    return tasks::LabelSet::of(training_.rows);
  }
  for (const tasks::LabelledText& row : training_.rows) {
    if (tasks::number_of(row.label)) continue;
    fail("{}: {}: regression needs numbers, found the label \"{}\"", training_.path, row.place,
         row.label);
  }
  if (type.empty()) {
    spdlog::info(
        "{}: the labels are numbers with fractions: regression (--problem-type {} makes "
        "classes of them)",
        training_.path, kClassification);
  }
  return {};
}

tasks::LabelSet ClassificationRun::labels_of_model() {
  check_class();
  std::vector<std::string> names = infer::read_labels(definition_->files(), definition_->head());
  outputs_ = std::ssize(names);
  problem_ = infer::problem_type_of(definition_->head(), outputs_);
  const bool regression = problem_ == infer::ProblemType::kRegression;
  if (!options_.problem_type.empty() && (options_.problem_type == kRegression) != regression) {
    fail("{}: --problem-type {}: the model was made for another problem",
         definition_->files().weights, options_.problem_type);
  }
  if (regression) return {};
  return tasks::LabelSet(std::move(names), problem_ == infer::ProblemType::kMultiLabel ? 1 : 2);
}

void ClassificationRun::check_class() const {
  const std::string& name = definition_->head().architecture;
  const std::optional<bert::ModelClass> said = bert::class_named(name);
  if (said == bert::ModelClass::kTokenClassification || said == bert::ModelClass::kMultipleChoice) {
    fail("{}: the model is a {}, expected a classifier of texts", definition_->files().weights,
         name);
  }
}

void ClassificationRun::append(const tasks::LabelledText& row, TaskBatch& batch) const {
  tasks::append_text(row.text, training_.pair_of(row), tokenizer(), options_.max_seq_length, batch);
  if (labels_.is_regression()) {
    batch.targets.push_back(static_cast<float>(tasks::number_of(row.label).value_or(0)));
  } else {
    batch.labels.push_back(labels_.class_of(row.label));
  }
}

RunEnd ClassificationRun::train(const std::atomic<bool>& stop) {
  if (world_.leads()) io::make_folder(options_.output_dir);
  bert::ClassificationModel trained(config(), model_->parameters());
  FineTuningRun training(job(), device_, model_->parameters(), trained, log_, world_);
  if (training.run(stop) == RunEnd::kStopped) return RunEnd::kStopped;
  if (world_.leads()) save();
  training.discard_state();
  training.report_end({options_.output_dir + "/model.safetensors"},
                      fmt::format("bertha classify --checkpoint={} --predict-file=… --output-dir=…",
                                  options_.output_dir));
  return RunEnd::kFinished;
}

FineTuningJob ClassificationRun::job() {
  FineTuningJob job = job_of(options_, std::ssize(training_.rows), "texts", *definition_, world_);
  job.title = "Fine-tuning of a classifier";
  job.append = [this](int64_t row, TaskBatch& batch) {
    append(training_.rows[static_cast<size_t>(row)], batch);
  };
  if (labels_.is_regression()) job.settings.emplace_back("problem_type", kRegression);
  job.evaluate = [this](const infer::RunControls& controls) { return scores(controls); };
  return job;
}

/// The scores under the names that the log and the pictures of fine-tuning show.
runlog::Scores ClassificationRun::scores(const infer::RunControls& controls) {
  const ClassificationResult result = evaluate(controls);
  if (result.regression) return {{"spearman", result.spearman}, {"pearson", result.pearson}};
  runlog::Scores scores = {{"matthews", result.matthews}, {"F1", result.f1}};
  if (result.numeric) scores.emplace_back("pearson", result.pearson);
  scores.emplace_back("accuracy", result.accuracy);
  return scores;
}

void ClassificationRun::save() const {
  bert::HeadConfig head;
  head.labels = labels_.names();
  if (labels_.is_regression()) {
    head.labels = {"LABEL_0"};
    head.problem_type = kRegression;
  }
  save_classifier(options_.output_dir, bert::ModelClass::kClassification, head, *model_);
}

std::vector<infer::ClassifyResult> ClassificationRun::classify(const tasks::LabelledTexts& file,
                                                               const infer::RunControls& controls) {
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
  return classify_->run(requests, world_, controls);
}

tasks::LabelledTexts ClassificationRun::read_evaluation() const {
  tasks::LabelledTexts file = tasks::read_labelled_texts(options_.eval_file, options_.columns);
  file.keep_labelled();
  std::erase_if(file.rows, [&](const tasks::LabelledText& row) {
    const bool known = labels_.is_regression() ? tasks::number_of(row.label).has_value()
                                               : labels_.class_of(row.label) >= 0;
    if (!known && labels_.is_regression()) {
      file.problems.add("label that is no number, row left out", row.place);
    } else if (!known) {
      file.problems.add("label that training did not have, row left out", row.label);
    }
    return !known;
  });
  report(file, tokenizer());
  if (file.rows.empty()) fail("{}: no row to evaluate", options_.eval_file);
  return file;
}

ClassificationResult ClassificationRun::evaluate(const infer::RunControls& controls) {
  if (problem_ == infer::ProblemType::kMultiLabel) {
    fail(
        "--eval-file: the model's config says multi_label_classification; only classifiers with "
        "one label for each text and regression are evaluated");
  }
  const tasks::LabelledTexts file = read_evaluation();
  const std::vector<infer::ClassifyResult> found = classify(file, controls);
  if (!world_.leads()) return {};
  std::vector<double> numbers;
  std::vector<double> true_numbers;
  std::vector<int32_t> predicted;
  std::vector<int32_t> truth;
  for (size_t i = 0; i < found.size(); ++i) {
    const std::string& label = file.rows[i].label;
    predicted.push_back(static_cast<int32_t>(found[i].best));
    truth.push_back(labels_.class_of(label));
    numbers.push_back(predicted_number(found[i], labels_));
    true_numbers.push_back(tasks::number_of(label).value_or(0));
  }
  ClassificationResult result = score_numbers(numbers, true_numbers);
  result.regression = labels_.is_regression();
  if (result.regression) return result;
  const tasks::ClassificationScores scores =
      tasks::score_classes(predicted, truth, labels_.outputs());
  result.numeric = !labels_.numbers().empty();
  result.accuracy = scores.accuracy;
  result.f1 = scores.f1;
  result.matthews = scores.matthews;
  return result;
}

void ClassificationRun::predict() {
  const tasks::LabelledTexts file =
      tasks::read_labelled_texts(options_.predict_file, options_.columns);
  report(file, tokenizer());
  const std::vector<infer::ClassifyResult> found = classify(file);
  if (!world_.leads()) return;
  std::string lines = "index\tprediction\tprobability";
  if (options_.all_probabilities) lines += "\t" + join(labels_.names(), "\t");
  lines += "\n";
  for (size_t i = 0; i < found.size(); ++i) {
    lines +=
        fmt::format("{}\t{}", file.rows[i].row, prediction_of(found[i], labels_.names(), problem_));
    for (const double probability : found[i].probabilities) {
      if (options_.all_probabilities) lines += fmt::format("\t{:.6f}", probability);
    }
    lines += "\n";
  }
  io::make_folder(options_.output_dir);
  io::write_file(options_.output_dir + "/predictions.tsv", lines);
}

}  // namespace bertha::train
