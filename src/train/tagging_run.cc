#include "train/tagging_run.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "bert/token_classification.h"
#include "core/counted.h"
#include "core/error.h"
#include "core/strings.h"
#include "io/atomic_file.h"
#include "io/atomic_folder.h"
#include "text/unknown_share.h"

namespace bertha::train {
namespace {

constexpr int64_t kMostLabels = 1000;

/// The parts of "O,B-PER,I-PER".
std::vector<std::string> names_of(const std::string& typed) {
  std::vector<std::string> names;
  for (size_t begin = 0; begin <= typed.size() && !typed.empty();) {
    const size_t end = std::min(typed.find(',', begin), typed.size());
    names.push_back(typed.substr(begin, end - begin));
    if (names.back().empty()) fail("--label-names {}: a name is empty", typed);
    begin = end + 1;
  }
  return names;
}

void report(const tasks::TaggedFile& file) {
  for (const std::string& note : file.notes) spdlog::info("{}: {}", file.path, note);
  for (const std::string& line : file.problems.lines()) spdlog::warn("{}: {}", file.path, line);
}

void report_unknown_tokens(const std::string& path, std::span<const tasks::WordTokens> sentences,
                           const text::Tokenizer& tokenizer) {
  text::UnknownShare share;
  const int32_t unknown = tokenizer.specials().unk;
  for (const tasks::WordTokens& tokens : sentences) share.add(tokens.ids, unknown);
  spdlog::info("{}: {}", path, share.text(tokenizer));
  const std::string warning = share.warning(tokenizer, path);
  if (!warning.empty()) spdlog::warn("{}", warning);
}

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TaggingRun::TaggingRun(const TaggingOptions& options,
                       std::shared_ptr<const infer::ModelDefinition> definition, Device& device,
                       comm::Communicator& world)
    : options_(options),
      definition_(std::move(definition)),
      device_(device),
      world_(world),
      cutter_(tokenizer(), options.max_seq_length) {
  check_options(options_, config());
  labels_ = options_.train_file.empty() ? labels_of_model() : labels_to_train();
  if (labels_.empty() || std::ssize(labels_) > kMostLabels) {
    fail("{}; expected 1 to {}", counted(std::ssize(labels_), "different label"), kMostLabels);
  }
  model_ = open_text_model(options_, definition_, device_, infer::Purpose::kTag,
                           std::ssize(labels_), world_);
}

TaggingRun::Sentences TaggingRun::read(const io::TextFile& text) const {
  Sentences sentences = {.file = tasks::parse_tagged(text.text(), text.path(), options_.columns),
                         .tokens = {}};
  report(sentences.file);
  for (const tasks::TaggedSentence& sentence : sentences.file.sentences) {
    sentences.tokens.push_back(tasks::tokens_of_words(sentence.words, tokenizer()));
  }
  report_unknown_tokens(text.path(), sentences.tokens, tokenizer());
  return sentences;
}

void TaggingRun::name_numbers(const std::vector<std::string>& names,
                              tasks::TaggedFile& file) const {
  if (!file.numbered) return;
  if (names.empty()) {
    fail("{}: the labels are numbers; give their names, in order, with --label-names", file.path);
  }
  file.name_labels(names);
}

std::vector<std::string> TaggingRun::labels_to_train() {
  std::vector<std::string> named = names_of(options_.label_names);
  training_ = read(io::TextFile(options_.train_file));
  tasks::TaggedFile& file = training_.file;
  file.require_labels();
  name_numbers(named, file);
  for (size_t i = 0; i < training_.tokens.size(); ++i) {
    cutter_.cut(training_.tokens[i], static_cast<int32_t>(i), windows_);
  }
  std::vector<std::string> found = file.label_names();
  for (const std::string& label : found) {
    if (named.empty() || std::ranges::count(named, label) > 0) continue;
    fail("{}: the label {} is not in --label-names", file.path, label);
  }
  if (!named.empty()) return named;
  const bool fine_tuned =
      bert::class_named(definition_->head().architecture) == bert::ModelClass::kTokenClassification;
  const std::vector<std::string>& before = definition_->head().labels;
  if (!fine_tuned || before.empty()) return found;
  if (sorted(before) == found) return before;
  spdlog::warn("{}: it has other labels than {}, whose labels are used",
               definition_->files().weights, file.path);
  return found;
}

std::vector<std::string> TaggingRun::labels_of_model() const {
  const std::string& name = definition_->head().architecture;
  const std::optional<bert::ModelClass> kind = bert::class_named(name);
  if (kind == bert::ModelClass::kClassification || kind == bert::ModelClass::kMultipleChoice) {
    fail("{}: the model is a {}, expected a classifier of tokens", definition_->files().weights,
         name);
  }
  std::vector<std::string> named = names_of(options_.label_names);
  const std::vector<std::string>& said = definition_->head().labels;
  if (named.empty()) return infer::read_labels(definition_->files(), definition_->head());
  if (!said.empty() && named.size() != said.size()) {
    fail("--label-names gives {} names, the model has {} labels", named.size(), said.size());
  }
  return named;
}

int32_t TaggingRun::class_of(const std::string& label) const {
  const auto found = std::find(labels_.begin(), labels_.end(), label);
  return found == labels_.end() ? -1 : static_cast<int32_t>(found - labels_.begin());
}

void TaggingRun::append(const tasks::TagWindow& window, TaskBatch& batch) const {
  const auto at = static_cast<size_t>(window.sentence);
  const std::vector<int32_t> places = cutter_.append(training_.tokens[at], window, batch);
  batch.labels.resize(batch.ids.size(), -1);
  auto label = training_.file.sentences[at].labels.begin() + window.first;
  for (const int32_t place : places) {
    if (place >= 0) batch.labels[static_cast<size_t>(place)] = class_of(*label);
    ++label;
  }
}

int64_t TaggingRun::labels_in(const tasks::TagWindow& window) const {
  const std::vector<int32_t>& start =
      training_.tokens[static_cast<size_t>(window.sentence)].word_start;
  int64_t count = 0;
  for (auto word = static_cast<size_t>(window.first); word < static_cast<size_t>(window.last);
       ++word) {
    count += start[word + 1] > start[word] ? 1 : 0;
  }
  return count;
}

RunEnd TaggingRun::train(const std::atomic<bool>& stop) {
  if (world_.leads()) io::make_folder(options_.output_dir);
  bert::TokenClassificationModel trained(config(), model_->parameters());
  FineTuningRun training(job(), device_, model_->parameters(), trained, log_, world_);
  if (training.run(stop) == RunEnd::kStopped) return RunEnd::kStopped;
  training.begin_folder();
  if (world_.leads()) {
    save_classifier(options_.output_dir, bert::ModelClass::kTokenClassification,
                    {.labels = labels_}, *model_);
  }
  training.finish_folder();
  training.report_end({options_.output_dir + "/model.safetensors"},
                      fmt::format("bertha tag --checkpoint={} --predict-file=… --output-dir=…",
                                  options_.output_dir));
  return RunEnd::kFinished;
}

FineTuningJob TaggingRun::job() {
  FineTuningJob job = job_of(options_, std::ssize(windows_), "windows", *definition_, world_);
  job.settings.emplace_back("labels", join(labels_, ","));
  job.append = [this](int64_t row, TaskBatch& batch) {
    append(windows_[static_cast<size_t>(row)], batch);
  };
  job.labels_of = [this](int64_t row) { return labels_in(windows_[static_cast<size_t>(row)]); };
  job.evaluate = [this](const infer::RunControls& controls) { return scores(controls); };
  return job;
}

/// The scores under the names that the log and the pictures of fine-tuning show.
runlog::Scores TaggingRun::scores(const infer::RunControls& controls) {
  const tasks::SpanScores scores = evaluate(controls).scores;
  return {{"accuracy", scores.accuracy},
          {"precision", scores.all.precision()},
          {"recall", scores.all.recall()},
          {"F1", scores.all.f1()}};
}

infer::TagTask& TaggingRun::task() {
  if (!task_) {
    task_ = std::make_unique<infer::TagTask>(
        *model_, infer::TagSettings{.max_tokens = options_.max_seq_length,
                                    .batch_windows = options_.predict_batch_size,
                                    .no_entity = std::max(class_of("O"), 0)});
  }
  return *task_;
}

std::vector<tasks::Labels> TaggingRun::predict(const Sentences& sentences,
                                               const infer::RunControls& controls) {
  std::vector<tasks::Labels> predicted;
  for (const infer::TagResult& result : task().run(sentences.tokens, world_, controls)) {
    tasks::Labels& labels = predicted.emplace_back();
    for (const int64_t label : result.labels) {
      labels.push_back(labels_[static_cast<size_t>(label)]);
    }
  }
  return predicted;
}

/// Words with such labels count as wrong.
void TaggingRun::report_unknown_labels(const tasks::TaggedFile& file) const {
  for (const std::string& label : file.label_names()) {
    if (class_of(label) >= 0) continue;
    spdlog::warn("{}: the model does not have the label {}; its words count as wrong", file.path,
                 label);
  }
}

TaggingResult TaggingRun::evaluate(const infer::RunControls& controls) {
  Sentences sentences = read(io::TextFile(options_.eval_file));
  sentences.file.require_labels();
  name_numbers(labels_, sentences.file);
  report_unknown_labels(sentences.file);
  const std::vector<tasks::Labels> predicted = predict(sentences, controls);
  if (!world_.leads()) return {};
  std::vector<tasks::Labels> truth;
  for (tasks::TaggedSentence& sentence : sentences.file.sentences) {
    truth.push_back(std::move(sentence.labels));
  }
  return {.sentences = std::ssize(truth),
          .words = sentences.file.words(),
          .scores = tasks::score_spans(truth, predicted)};
}

void TaggingRun::predict() {
  const io::TextFile text(options_.predict_file);
  const Sentences sentences = read(text);
  const bool json = sentences.file.format == tasks::TagFormat::kJsonLines;
  const std::string path =
      path_of_predictions(options_, json ? "predictions.jsonl" : "predictions.conll");
  const std::vector<tasks::Labels> predicted = predict(sentences);
  if (!world_.leads()) return;
  io::make_folder(options_.output_dir);
  io::write_file(path, tasks::with_labels(text.text(), sentences.file, predicted));
  spdlog::info("written: {}", path);
}

std::vector<TaggedText> TaggingRun::tag(const std::vector<std::string>& texts) {
  std::vector<TaggedText> tagged(texts.size());
  std::vector<tasks::WordTokens> tokens;
  for (size_t i = 0; i < texts.size(); ++i) {
    tokens.push_back(tasks::tokens_of_text(texts[i], tokenizer(), tagged[i].words));
  }
  const std::vector<infer::TagResult> results = task().run(tokens, world_);
  for (size_t i = 0; i < results.size(); ++i) {
    for (const int64_t label : results[i].labels) {
      tagged[i].labels.push_back(labels_[static_cast<size_t>(label)]);
    }
    tagged[i].entities = infer::entities_of(results[i], tagged[i].words, labels_);
  }
  return tagged;
}

}  // namespace bertha::train
