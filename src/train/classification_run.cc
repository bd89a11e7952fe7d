#include "train/classification_run.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <span>

#include "bert/classification.h"
#include "core/error.h"
#include "core/strings.h"
#include "io/atomic_file.h"
#include "io/atomic_folder.h"
#include "text/unknown_share.h"

namespace bertha::train {
namespace {

struct ProblemName {
  infer::ProblemType problem;
  const char* name;
};
constexpr std::array<ProblemName, 3> kProblems = {
    {{infer::ProblemType::kSingleLabel, "single_label_classification"},
     {infer::ProblemType::kMultiLabel, "multi_label_classification"},
     {infer::ProblemType::kRegression, "regression"}}};

const char* name_of(infer::ProblemType problem) {
  return kProblems[static_cast<size_t>(problem)].name;
}

infer::ProblemType problem_named(const std::string& name) {
  for (const ProblemName& row : kProblems) {
    if (row.name == name) return row.problem;
  }
  fail("--problem-type {}: expected {}, {} or {}", name, kProblems[0].name, kProblems[1].name,
       kProblems[2].name);
}

/// Reports what is wrong with a file's rows, and the share of unknown tokens.
void report(const tasks::LabelledTexts& file, const text::Tokenizer& tokenizer) {
  for (const std::string& note : file.notes) spdlog::info("{}: {}", file.path, note);
  for (const std::string& line : file.problems.lines()) spdlog::warn("{}: {}", file.path, line);
  const auto bare = std::count_if(file.rows.begin(), file.rows.end(), [](const auto& row) {
    return row.labels && row.labels->empty();
  });
  if (bare > 0) {
    spdlog::info("{}: no label holds for {} of {} texts", file.path, bare, file.rows.size());
  }
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

void score_numbers(std::span<const infer::ClassifyResult> found, const tasks::LabelledTexts& file,
                   const tasks::LabelSet& labels, ClassificationResult& to) {
  std::vector<double> predicted;
  std::vector<double> truth;
  for (size_t i = 0; i < found.size(); ++i) {
    predicted.push_back(predicted_number(found[i], labels));
    truth.push_back(tasks::number_of(file.rows[i].label).value_or(0));
  }
  to.numeric = true;
  to.pearson = tasks::pearson(predicted, truth);
  to.spearman = tasks::spearman(predicted, truth);
  to.mean_squared_error = tasks::mean_squared_error(predicted, truth);
}

tasks::ClassificationScores score_single(std::span<const infer::ClassifyResult> found,
                                         const tasks::LabelledTexts& file,
                                         const tasks::LabelSet& labels) {
  std::vector<int32_t> predicted;
  std::vector<int32_t> truth;
  for (size_t i = 0; i < found.size(); ++i) {
    predicted.push_back(static_cast<int32_t>(found[i].best));
    truth.push_back(labels.class_of(file.rows[i].label));
  }
  return tasks::score_classes(predicted, truth, labels.outputs());
}

/// The several labels of a row.
std::vector<std::string> labels_in(const tasks::LabelledText& row) {
  return row.labels.value_or(std::vector<std::string>());
}

/// 1 for each class that holds for a row, 0 for the others.
std::vector<uint8_t> marks_of(const tasks::LabelledText& row, const tasks::LabelSet& labels) {
  std::vector<uint8_t> marks(static_cast<size_t>(labels.outputs()));
  for (const std::string& label : labels_in(row)) {
    const int32_t index = labels.class_of(label);
    if (index >= 0) marks[static_cast<size_t>(index)] = 1;
  }
  return marks;
}

tasks::LabelSetScores score_several(std::span<const infer::ClassifyResult> found,
                                    const tasks::LabelledTexts& file,
                                    const tasks::LabelSet& labels) {
  std::vector<uint8_t> predicted;
  std::vector<uint8_t> truth;
  for (size_t i = 0; i < found.size(); ++i) {
    const std::vector<uint8_t> marks = marks_of(file.rows[i], labels);
    truth.insert(truth.end(), marks.begin(), marks.end());
    for (const double probability : found[i].probabilities) {
      predicted.push_back(infer::holds(probability) ? 1 : 0);
    }
  }
  tasks::LabelSetScores scores = tasks::score_label_sets(predicted, truth, labels.outputs());
  for (size_t c = 0; c < scores.labels.size(); ++c) scores.labels[c].name = labels.names()[c];
  return scores;
}

/// The columns of a prediction and its probability.
std::string prediction_of(const infer::ClassifyResult& result,
                          const std::vector<std::string>& labels, infer::ProblemType problem,
                          const std::string& separator) {
  const std::vector<double>& values = result.probabilities;
  if (problem == infer::ProblemType::kRegression) return fmt::format("{:.6f}\t", values[0]);
  if (problem == infer::ProblemType::kSingleLabel) {
    const auto best = static_cast<size_t>(result.best);
    return fmt::format("{}\t{:.6f}", labels[best], values[best]);
  }
  std::vector<std::string> names;
  std::vector<std::string> probabilities;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!infer::holds(values[i])) continue;
    names.push_back(labels[i]);
    probabilities.push_back(fmt::format("{:.6f}", values[i]));
  }
  return join(names, separator) + "\t" + join(probabilities, separator);
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
  const std::optional<std::string>& separator = options_.columns.separator;
  if (separator && separator->empty()) fail("--label-separator: expected a text, found none");
  if (!type.empty()) problem_ = problem_named(type);
  if (!type.empty() && !several() && separator) {
    fail("--label-separator: a text has several labels with --problem-type {} alone",
         name_of(infer::ProblemType::kMultiLabel));
  }
  if (options_.train_file.empty()) {
    labels_ = labels_of_model();
  } else {
    read_training();
  }
  if (options_.all_probabilities && labels_.is_regression()) {
    fail("--all-probabilities: regression predicts numbers, which have no probabilities");
  }
}

void ClassificationRun::read_training() {
  training_ = read_labelled(options_.train_file);
  if (options_.problem_type.empty()) find_problem_to_train();
  if (!several()) training_.keep_single_labels();
  report(training_, tokenizer());
  if (problem_ == infer::ProblemType::kRegression) {
    check_numbers();
  } else {
    labels_ = several() ? tasks::LabelSet::of_several(training_) : tasks::LabelSet::of(training_);
  }
  outputs_ = labels_.outputs();
}

void ClassificationRun::find_problem_to_train() {
  if (tasks::suggests_several_labels(training_.rows)) {
    problem_ = infer::ProblemType::kMultiLabel;
    // A text between lists in JSON may hold several labels, too.
    if (!options_.columns.separator) training_ = read_labelled(options_.train_file);
  } else if (tasks::suggests_regression(training_.rows)) {
    problem_ = infer::ProblemType::kRegression;
    training_.notes.push_back(fmt::format(
        "the labels are numbers with fractions: regression (--problem-type {} makes classes of "
        "them)",
        name_of(infer::ProblemType::kSingleLabel)));
  }
}

void ClassificationRun::check_numbers() const {
  for (const tasks::LabelledText& row : training_.rows) {
    if (tasks::number_of(row.label)) continue;
    fail("{}: {}: regression needs numbers, found the label \"{}\"", training_.path, row.place,
         row.label);
  }
}

tasks::ColumnChoice ClassificationRun::columns() const {
  tasks::ColumnChoice columns = options_.columns;
  if (several() && !columns.separator) columns.separator = ",";
  return columns;
}

tasks::LabelledTexts ClassificationRun::read_labelled(const std::string& path) const {
  tasks::LabelledTexts file = tasks::read_labelled_texts(path, columns());
  file.keep_labelled();
  return file;
}

tasks::LabelSet ClassificationRun::labels_of_model() {
  check_class();
  const bert::HeadConfig& head = definition_->head();
  std::vector<std::string> names = infer::read_labels(definition_->files(), head);
  outputs_ = std::ssize(names);
  const infer::ProblemType said = infer::problem_type_of(head, outputs_);
  const bool chosen = !options_.problem_type.empty();
  if (chosen && problem_ != said && !head.problem_type.empty()) {
    fail("{}: --problem-type {}: the model's config says {}", definition_->files().weights,
         options_.problem_type, name_of(said));
  }
  if (!chosen) problem_ = said;
  if (!several() && options_.columns.separator) {
    fail("{}: --label-separator: the model gives one label to a text",
         definition_->files().weights);
  }
  if (problem_ == infer::ProblemType::kRegression) {
    if (outputs_ == 1) return {};
    fail("{}: a regression of {} values, expected one", definition_->files().weights, outputs_);
  }
  return {std::move(names), definition_->files().weights, several() ? 1 : 2};
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
  } else if (several()) {
    for (const uint8_t mark : marks_of(row, labels_)) batch.targets.push_back(mark);
  } else {
    batch.labels.push_back(labels_.class_of(row.label));
  }
}

RunEnd ClassificationRun::train(const std::atomic<bool>& stop) {
  if (world_.leads()) io::make_folder(options_.output_dir);
  bert::ClassificationModel trained(config(), model_->parameters(), problem_);
  FineTuningRun training(job(), device_, model_->parameters(), trained, log_, world_);
  if (training.run(stop) == RunEnd::kStopped) return RunEnd::kStopped;
  training.begin_folder();
  if (world_.leads()) save();
  training.finish_folder();
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
  if (problem_ != infer::ProblemType::kSingleLabel) {
    job.settings.emplace_back("problem_type", name_of(problem_));
  }
  if (several()) {
    job.settings.emplace_back("labels", join(labels_.names(), ","));
    job.labels_of = [this](int64_t) { return outputs_; };
  }
  job.evaluate = [this](const infer::RunControls& controls) { return scores(controls); };
  return job;
}

/// The scores under the names that the log and the pictures of fine-tuning show.
runlog::Scores ClassificationRun::scores(const infer::RunControls& controls) {
  const ClassificationResult result = evaluate(controls);
  if (labels_.is_regression()) return {{"spearman", result.spearman}, {"pearson", result.pearson}};
  if (several()) {
    return {{"accuracy", result.several.subset_accuracy},
            {"macro F1", tasks::macro_f1(result.several.labels)},
            {"F1", result.several.all.f1()}};
  }
  runlog::Scores scores = {{"matthews", result.single.matthews}, {"F1", result.single.f1}};
  if (result.numeric) scores.emplace_back("pearson", result.pearson);
  scores.emplace_back("accuracy", result.single.accuracy);
  return scores;
}

void ClassificationRun::save() const {
  bert::HeadConfig head;
  head.labels = labels_.names();
  if (labels_.is_regression()) head.labels = {"LABEL_0"};
  if (problem_ != infer::ProblemType::kSingleLabel) head.problem_type = name_of(problem_);
  save_classifier(options_.output_dir, bert::ModelClass::kClassification, head, *model_);
}

std::vector<infer::ClassifyResult> ClassificationRun::classify(
    std::span<const infer::ClassifyRequest> requests, const infer::RunControls& controls) {
  if (!classify_) {
    classify_ = std::make_unique<infer::ClassifyTask>(
        *model_, infer::ClassifySettings{.max_tokens = options_.max_seq_length,
                                         .batch_texts = options_.predict_batch_size,
                                         .problem = problem_});
  }
  return classify_->run(requests, world_, controls);
}

std::vector<infer::ClassifyResult> ClassificationRun::classify_rows(
    const tasks::LabelledTexts& file, const infer::RunControls& controls) {
  std::vector<infer::ClassifyRequest> requests;
  for (const tasks::LabelledText& row : file.rows) {
    requests.push_back({.text = row.text, .pair = file.pair_of(row)});
  }
  return classify(requests, controls);
}

/// Removes labels that the model does not know: of several labels the label, else the row.
void ClassificationRun::keep_known(tasks::LabelledTexts& file) const {
  const auto known = [&](const std::string& label) { return labels_.class_of(label) >= 0; };
  std::erase_if(file.rows, [&](tasks::LabelledText& row) {
    if (several()) {
      for (const std::string& label : labels_in(row)) {
        if (!known(label)) file.problems.add("label that the model does not have, ignored", label);
      }
      return false;
    }
    if (labels_.is_regression()) {
      const bool number = tasks::number_of(row.label).has_value();
      if (!number) file.problems.add("label that is no number, row left out", row.place);
      return !number;
    }
    if (!known(row.label)) {
      file.problems.add("label that training did not have, row left out", row.label);
    }
    return !known(row.label);
  });
}

tasks::LabelledTexts ClassificationRun::read_evaluation() const {
  tasks::LabelledTexts file = read_labelled(options_.eval_file);
  if (!several()) file.keep_single_labels();
  keep_known(file);
  report(file, tokenizer());
  if (file.rows.empty()) fail("{}: no row to evaluate", options_.eval_file);
  return file;
}

ClassificationResult ClassificationRun::evaluate(const infer::RunControls& controls) {
  const tasks::LabelledTexts file = read_evaluation();
  const std::vector<infer::ClassifyResult> found = classify_rows(file, controls);
  if (!world_.leads()) return {};
  ClassificationResult result;
  result.rows = std::ssize(found);
  result.problem = problem_;
  result.names = labels_.names();
  if (several()) {
    result.several = score_several(found, file, labels_);
    return result;
  }
  if (labels_.is_regression() || !labels_.numbers().empty()) {
    score_numbers(found, file, labels_, result);
  }
  if (!labels_.is_regression()) result.single = score_single(found, file, labels_);
  return result;
}

std::string ClassificationRun::columns_of(const infer::ClassifyResult& result) const {
  std::string text =
      prediction_of(result, labels_.names(), problem_, columns().separator.value_or(","));
  for (const double probability : result.probabilities) {
    if (options_.all_probabilities) text += fmt::format("\t{:.6f}", probability);
  }
  return text;
}

/// Labels that contain the separator would be ambiguous in predictions.tsv.
void ClassificationRun::check_separator() const {
  const std::string separator = columns().separator.value_or(",");
  for (const std::string& label : labels_.names()) {
    if (!several() || label.find(separator) == std::string::npos) continue;
    fail(
        "the label \"{}\" contains \"{}\", which separates labels; choose another "
        "--label-separator",
        label, separator);
  }
}

void ClassificationRun::predict() {
  check_separator();
  const std::string path = path_of_predictions(options_, "predictions.tsv");
  const tasks::LabelledTexts file = tasks::read_labelled_texts(options_.predict_file, columns());
  report(file, tokenizer());
  const std::vector<infer::ClassifyResult> found = classify_rows(file);
  if (!world_.leads()) return;
  std::string lines = "index\tprediction\tprobability";
  if (options_.all_probabilities) lines += "\t" + join(labels_.names(), "\t");
  lines += "\n";
  for (size_t i = 0; i < found.size(); ++i) {
    lines += fmt::format("{}\t{}\n", file.rows[i].row, columns_of(found[i]));
  }
  io::make_folder(options_.output_dir);
  io::write_file(path, lines);
  spdlog::info("written: {}", path);
}

}  // namespace bertha::train
