#include "serve/served_model.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "bert/export.h"
#include "bert/weights.h"
#include "core/error.h"
#include "core/strings.h"
#include "text/model_input.h"
#include "text/tokenizer_settings.h"

namespace bertha::serve {
namespace {

constexpr std::array<std::pair<Task, std::string_view>, 6> kTaskNames = {
    {{Task::kAnswer, "answer"},
     {Task::kFill, "fill"},
     {Task::kEmbed, "embed"},
     {Task::kClassify, "classify"},
     {Task::kRerank, "rerank"},
     {Task::kTag, "tag"}}};

/// The task of a model by the heads of its weights.
Task task_of(const bert::WeightFile& weights, const bert::HeadConfig& head,
             const std::string& folder) {
  switch (bert::model_class_of(weights, head.architecture)) {
    case bert::ModelClass::kQuestionAnswering:
      return Task::kAnswer;
    case bert::ModelClass::kMaskedLanguageModel:
    case bert::ModelClass::kPretraining:
      return Task::kFill;
    case bert::ModelClass::kClassification:
      return weights.heads().classes == 1 && head.problem_type.empty() ? Task::kRerank
                                                                       : Task::kClassify;
    case bert::ModelClass::kTokenClassification:
      return Task::kTag;
    case bert::ModelClass::kMultipleChoice:
      fail("{}: a {} is not served; name a task to serve its encoder: {}:embed", folder,
           head.architecture, folder);
    case bert::ModelClass::kNextSentence:
    case bert::ModelClass::kEncoder:
      break;
  }
  return Task::kEmbed;
}

infer::Purpose purpose_of(Task task) {
  switch (task) {
    case Task::kAnswer:
      return infer::Purpose::kAnswer;
    case Task::kFill:
      return infer::Purpose::kFill;
    case Task::kClassify:
    case Task::kRerank:
      return infer::Purpose::kClassify;
    case Task::kTag:
      return infer::Purpose::kTag;
    case Task::kEmbed:
      break;
  }
  return infer::Purpose::kEmbed;
}

std::string pooling_name(std::span<const infer::Pooling> modes) {
  std::vector<std::string> names;
  for (const infer::Pooling mode : modes) {
    const auto all = infer::pooling_names();
    names.emplace_back(std::ranges::find(all, mode, &infer::PoolingName::pooling)->mode);
  }
  return join(names, ",");
}

Problem problem_named(infer::ProblemType type) {
  switch (type) {
    case infer::ProblemType::kMultiLabel:
      return Problem::kMultiLabel;
    case infer::ProblemType::kRegression:
      return Problem::kRegression;
    case infer::ProblemType::kSingleLabel:
      break;
  }
  return Problem::kSingleLabel;
}

/// The names of the classes, or those that transformers gives to classes without names.
std::vector<std::string> labels_of(const infer::ModelDefinition& model, int64_t classes) {
  std::vector<std::string> labels;
  try {
    labels = infer::read_labels(model.files(), model.head());
  } catch (const Error&) {  // no file says it
  }
  if (std::ssize(labels) == classes) return labels;
  labels.clear();
  for (int64_t i = 0; i < classes; ++i) labels.push_back(fmt::format("LABEL_{}", i));
  return labels;
}

}  // namespace

std::string_view task_name(Task task) {
  return std::ranges::find(kTaskNames, task, &std::pair<Task, std::string_view>::first)->second;
}

Task parse_task(std::string_view name) {
  const auto found =
      std::ranges::find(kTaskNames, name, &std::pair<Task, std::string_view>::second);
  if (found == kTaskNames.end()) {
    fail("no task \"{}\"; expected answer, fill, embed, classify, rerank or tag", name);
  }
  return found->first;
}

ModelSpec parse_model_spec(const std::string& typed) {
  ModelSpec spec;
  std::string rest = typed;
  const size_t equals = rest.find('=');
  if (equals != std::string::npos) {
    spec.name = rest.substr(0, equals);
    rest.erase(0, equals + 1);
  }
  const size_t colon = rest.rfind(':');
  if (colon != std::string::npos && rest.find('/', colon) == std::string::npos) {
    spec.task = parse_task(std::string_view(rest).substr(colon + 1));
    rest.erase(colon);
  }
  spec.folder = rest;
  if (equals == std::string::npos) {
    const std::filesystem::path path = std::filesystem::path(rest).lexically_normal();
    spec.name = (path.has_filename() ? path : path.parent_path()).filename().string();
  }
  const bool named = !spec.name.empty() && std::ranges::all_of(spec.name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
  if (!named || spec.folder.empty()) {
    fail(
        "--model {}: expected NAME=FOLDER or NAME=FOLDER:TASK, the name of letters, digits, "
        "\".\", \"_\" and \"-\"",
        typed);
  }
  return spec;
}

ServedModel::ServedModel(const ModelSpec& spec) {
  infer::ModelFiles files = infer::find_model(spec.folder);
  if (!files.modules.empty()) {
    modules_ = infer::read_sentence_modules(files.modules);
    for (const std::string& note : modules_->notes) spdlog::warn("{}", note);
  }
  files.lower_case_first = modules_ && modules_->lower_case;
  hub_definition_ = std::make_shared<const infer::ModelDefinition>(files);
  definition_ = hub_definition_;
  find_task(spec);
  (void)tokenizer().specials();  // throws for a vocabulary that lacks one
  if (info_.task == Task::kAnswer) {
    files.rules = text::TokenRules::kRecipe;
    definition_ = std::make_shared<const infer::ModelDefinition>(files);
  }
  purpose_ = purpose_of(info_.task);
  info_.name = spec.name;
  info_.folder = spec.folder;
  info_.max_tokens = text::allowed_tokens(tokenizer(), config().max_tokens());
  info_.hidden_size = config().hidden_size;
  info_.vocabulary_size = definition_->vocabulary().size();
  info_.mask_token = tokenizer().settings().names.mask;
  if (purpose_ == infer::Purpose::kEmbed) describe_embed();
  if (purpose_ == infer::Purpose::kClassify) describe_classify();
  if (purpose_ == infer::Purpose::kTag) info_.labels = labels_of(*definition_, classes_);
}

void ServedModel::find_task(const ModelSpec& spec) {
  const bert::WeightFile weights(definition_->files().weights);
  classes_ = weights.heads().classes;
  if (spec.task) {
    info_.task = *spec.task;
  } else {
    info_.task = modules_ ? Task::kEmbed : task_of(weights, definition_->head(), spec.folder);
  }
  if (info_.task == Task::kRerank && classes_ != 1) {
    fail("{}: a reranker needs a classifier of one output; this one has {}", spec.folder, classes_);
  }
  if (info_.task == Task::kClassify && classes_ == 0) {
    fail("{} has no classification head; fine-tune it first with bertha classify --train-file",
         spec.folder);
  }
  if (info_.task == Task::kTag && classes_ == 0) {
    fail("{} has no token classification head; fine-tune it first with bertha tag --train-file",
         spec.folder);
  }
}

void ServedModel::describe_embed() {
  embed_ =
      std::make_shared<const infer::EmbedSettings>(infer::embed_settings(*definition_, modules_));
  info_.max_tokens = embed_->max_tokens;
  info_.vector_size = infer::vector_size(*embed_, config());
  info_.pooling = pooling_name(embed_->pooling);
  if (modules_) info_.prompts = modules_->prompts;
}

void ServedModel::describe_classify() {
  info_.labels = labels_of(*definition_, classes_);
  problem_ = infer::problem_type_of(definition_->head(), classes_);
  info_.problem = problem_named(problem_);
}

std::shared_ptr<const infer::EmbedSettings> ServedModel::embed_settings(
    const EmbedRequest& request) const {
  const Truncation& cut = request.truncation;
  const bool usual = !request.normalize && !request.dimensions && !request.prompt_name &&
                     !request.all_tokens && cut.max_tokens == 0 && !cut.from_left;
  if (usual) return embed_;
  infer::EmbedSettings settings = infer::embed_settings(
      *definition_, modules_,
      {.normalize = request.normalize,
       .prompt_name = request.prompt_name,
       .max_tokens = cut.max_tokens == 0 ? embed_->max_tokens : cut.max_tokens,
       .dimensions = request.dimensions});
  settings.all_tokens = request.all_tokens;
  if (cut.from_left) settings.cut_left = true;
  return std::make_shared<const infer::EmbedSettings>(std::move(settings));
}

}  // namespace bertha::serve
