#include "infer/model.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <span>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/strings.h"
#include "infer/sentence_modules.h"
#include "io/atomic_file.h"
#include "io/file_status.h"
#include "io/text_file.h"
#include "io/weights/tensor_source.h"
#include "text/casing.h"

namespace bertha::infer {
namespace {

namespace fs = std::filesystem;

const std::array<std::string, 2> kConfigNames = {"bert_config.json", "config.json"};
const std::array<std::string, 2> kVocabularyNames = {"vocab.txt", "tokenizer.json"};

/// The weights' folder: they may be a folder themselves.
fs::path folder_of(const ModelFiles& files) {
  const fs::path path(files.weights);
  return io::is_folder(path) ? path : path.parent_path();
}

/// The first of `names` in the weights' folder; empty when there is none.
std::string beside(const ModelFiles& files, std::span<const std::string> names) {
  const fs::path folder = folder_of(files);
  for (const std::string& name : names) {
    if (io::exists(folder / name)) return (folder / name).string();
  }
  return "";
}

/// The file that is named or lies beside the weights; empty when there is none.
std::string named_or_beside(const std::string& named, const ModelFiles& files,
                            std::span<const std::string> names) {
  return named.empty() ? beside(files, names) : named;
}

[[noreturn]] void fail_without(const ModelFiles& files, std::span<const std::string> names,
                               const char* option) {
  fail("{}: no {} beside it; name one with --{}", files.weights, join(names, " or "), option);
}

/// What the weights carry, where it is only a question whether they do.
io::CarriedTexts carried_if_readable(const ModelFiles& files) {
  try {
    return io::open_weights(files.weights)->carried_texts();
  } catch (const Error&) {
    return {};
  }
}

/// The same for a file that is needed. A folder need not hold weights.
io::CarriedTexts carried_by(const ModelFiles& files) {
  std::error_code ignored;
  if (fs::is_directory(files.weights, ignored)) return carried_if_readable(files);
  return io::open_weights(files.weights)->carried_texts();
}

bert::ConfigFile find_config(const ModelFiles& files) {
  const std::string path = named_or_beside(files.config, files, kConfigNames);
  if (!path.empty()) return bert::load_config_file(path);
  const std::string carried = carried_by(files).config;
  if (carried.empty()) fail_without(files, kConfigNames, "config-file");
  return bert::parse_config_file(carried, files.weights);
}

/// Throws Error where a checkpoint was trained with other pieces than those of the file beside it.
void check_against_carried(const ModelFiles& files, const text::Vocabulary& beside) {
  const std::string carried = carried_if_readable(files).vocabulary;
  if (carried.empty()) return;
  const text::Vocabulary trained = text::Vocabulary::parse(carried, files.weights);
  bool same = trained.size() == beside.size();
  for (int32_t i = 0; same && i < trained.size(); ++i) same = trained.piece(i) == beside.piece(i);
  if (same) return;
  fail("{} is not the vocabulary that {} carries; name one with --vocab-file", beside.name(),
       files.weights);
}

text::TokenizerFile find_tokenizer(const ModelFiles& files) {
  const std::string path = named_or_beside(files.vocabulary, files, kVocabularyNames);
  if (!path.empty()) {
    text::TokenizerFile file = text::load_tokenizer(path);
    if (files.vocabulary.empty()) check_against_carried(files, file.vocabulary);
    return file;
  }
  const std::string carried = carried_by(files).vocabulary;
  if (carried.empty()) fail_without(files, kVocabularyNames, "vocab-file");
  return text::tokenizer_of(text::Vocabulary::parse(carried, files.weights));
}

/// What a user needs to know about a head that is missing.
struct HeadText {
  const char* name;
  const char* results;
  const char* remedy;
};

HeadText text_of(Purpose purpose) {
  switch (purpose) {
    case Purpose::kFill:
      return {"masked language model head", "words",
              "pre-train it first with bertha pretrain, or use a model that has this head"};
    case Purpose::kAnswer:
      return {"question answering head", "answers",
              "fine-tune it first with bertha squad --do-train and use the pytorch_model.bin that "
              "it writes"};
    case Purpose::kClassify:
      return {"classification head", "classes",
              "fine-tune it first with bertha classify --train-file"};
    case Purpose::kTag:
      return {"token classification head", "labels",
              "fine-tune it first with bertha tag --train-file"};
    case Purpose::kEmbed:
      break;
  }
  return {"head", "vectors", "use the weights of a BERT encoder"};
}

bert::Heads heads_of(const OpenOptions& options) {
  switch (options.purpose) {
    case Purpose::kFill:
      return bert::Heads::for_pretraining();
    case Purpose::kAnswer:
      return {.question_answering = true};
    case Purpose::kClassify:
      return {.classes = options.classes};
    case Purpose::kTag:
      return {.pooler = false, .classes = options.classes};
    case Purpose::kEmbed:
      break;
  }
  return {.pooler = false};
}

/// Indices of the parameters of the purpose's head.
std::vector<int> head_indices(const bert::ModelIndices& i, Purpose purpose) {
  switch (purpose) {
    case Purpose::kFill: {
      std::vector<int> head = {i.mlm_bias, i.transform_weight, i.transform_bias, i.transform_gamma,
                               i.transform_beta};
      if (i.decoder != i.word) head.push_back(i.decoder);
      return head;
    }
    case Purpose::kAnswer:
      return {i.qa_weight, i.qa_bias};
    case Purpose::kClassify:
    case Purpose::kTag:
      return {i.classifier_weight, i.classifier_bias};
    case Purpose::kEmbed:
      break;
  }
  return {};
}

bool contains(const std::vector<int>& indices, int index) {
  return std::find(indices.begin(), indices.end(), index) != indices.end();
}

/// The first names of a list, and how many more there are.
std::string first_of(const std::vector<std::string>& names) {
  constexpr size_t kShown = 3;
  const size_t shown = std::min(kShown, names.size());
  const std::string text = join(std::span(names).first(shown), ", ");
  return shown == names.size() ? text : fmt::format("{} and {} more", text, names.size() - shown);
}

}  // namespace

const char* name_of(const Arithmetic& arithmetic) {
  if (arithmetic.products == bert::Products::kInt8) return "int8";
  return arithmetic.compute == DType::kBF16 ? "bf16" : "fp32";
}

ModelFiles find_model(const std::string& path) {
  ModelFiles files = {.weights = path};
  const std::string folder = folder_of(files).string();
  const std::optional<std::string> encoder = sentence_encoder_folder(folder.empty() ? "." : folder);
  if (!encoder) return files;
  files.modules = folder.empty() ? "." : folder;
  if (io::is_folder(path)) files.weights = *encoder;
  return files;
}

bert::ConfigFile read_config_file(const ModelFiles& files) {
  bert::ConfigFile file = find_config(files);
  if (!file.note.empty()) spdlog::warn("{}", file.note);
  const fs::path other = folder_of(files) / "config.json";
  if (file.head == bert::HeadConfig() && io::exists(other)) {
    file.head = bert::load_config_file(other.string()).head;
  }
  return file;
}

bert::Config read_config(const ModelFiles& files) {
  return read_config_file(files).config;
}

bool has_config(const ModelFiles& files) {
  return !named_or_beside(files.config, files, kConfigNames).empty() ||
         !carried_if_readable(files).config.empty();
}

bool has_tokenizer(const ModelFiles& files) {
  return !named_or_beside(files.vocabulary, files, kVocabularyNames).empty() ||
         !carried_if_readable(files).vocabulary.empty();
}

text::TokenizerFile read_tokenizer(const ModelFiles& files) {
  text::TokenizerFile file = find_tokenizer(files);
  for (const std::string& note : file.notes) spdlog::warn("{}", note);
  return file;
}

text::TokenizerOptions tokenizer_options(const ModelFiles& files, const text::TokenizerFile& file) {
  const text::Casing casing =
      text::choose_casing(file, files.lower_case, files.lower_case_otherwise);
  if (!casing.warning.empty()) spdlog::warn("{}", casing.warning);
  text::TokenizerOptions options = file.options(casing.lower_case, files.rules);
  if (files.lower_case_first && !options.settings->lowers()) {
    auto settings = std::make_shared<text::TokenizerSettings>(*options.settings);
    auto& normalizers = settings->normalizers;
    normalizers.emplace_back(text::LowercaseNormalizer{});
    std::rotate(normalizers.begin(), normalizers.end() - 1, normalizers.end());
    options.settings = std::move(settings);
  }
  return options;
}

void check_vocabulary(const text::Vocabulary& vocabulary, const bert::Config& config) {
  constexpr int64_t kMostPadding = 128;
  const int64_t padded = (vocabulary.size() + kMostPadding - 1) / kMostPadding * kMostPadding;
  if (vocabulary.size() <= config.vocab_size && config.vocab_size <= padded) return;
  fail("{} has {} pieces, the model's config says vocab_size {}{}", vocabulary.name(),
       vocabulary.size(), config.vocab_size,
       config.vocab_size > padded ? ", which is more than padding; is it this model's vocabulary?"
                                  : "");
}

std::vector<std::string> read_labels(const ModelFiles& files, const bert::HeadConfig& head) {
  const fs::path path = folder_of(files) / "labels.txt";
  if (!io::exists(path)) {
    if (!head.labels.empty()) return head.labels;
    const bool may_classify = head.architecture.empty() ||
                              head.architecture.ends_with("ForSequenceClassification") ||
                              head.architecture.ends_with("ForTokenClassification");
    if (may_classify) return {"LABEL_0", "LABEL_1"};
    fail("{}: the config says that it is a {}, expected a classifier, or --train-file",
         files.weights, head.architecture);
  }
  const io::TextFile file(path.string());
  std::vector<std::string> labels;
  std::string_view rest = file.text();
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view label = rest.substr(0, end);
    if (label.ends_with('\r')) label.remove_suffix(1);
    if (label.empty()) fail("{}: line {}: no label", path.string(), labels.size() + 1);
    labels.emplace_back(label);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (labels.empty()) fail("{}: it names no label", path.string());
  return labels;
}

namespace {

/// Throws Error when the tokenizer's template gives tokens a type for which the model has no row.
void check_token_types(const text::SequenceTemplate& sequence, const std::string& path,
                       const bert::Config& config) {
  if (config.type_vocab_size == 1) return;  // the model takes no notice of them
  for (const auto* parts : {&sequence.single, &sequence.pair}) {
    for (const text::TemplatePart& part : *parts) {
      if (part.segment < config.type_vocab_size) continue;
      fail(
          "{}: the post_processor has the token type {}, the model's config says type_vocab_size "
          "{}",
          path, part.segment, config.type_vocab_size);
    }
  }
}

}  // namespace

ModelDefinition::ModelDefinition(const ModelFiles& files)
    : files_(files),
      config_(read_config_file(files)),
      file_(read_tokenizer(files)),
      tokenizer_(file_.vocabulary, tokenizer_options(files, file_)) {
  config_.config = config_.config.padded();
  check_vocabulary(file_.vocabulary, config_.config);
  check_token_types(file_.settings.sequence, file_.vocabulary.name(), config_.config);
}

std::unique_ptr<Model> Model::open(const ModelFiles& files, Device& device,
                                   const OpenOptions& options) {
  return open(std::make_shared<const ModelDefinition>(files), device, options);
}

std::unique_ptr<Model> Model::open(std::shared_ptr<const ModelDefinition> definition,
                                   Device& device, const OpenOptions& options) {
  return std::unique_ptr<Model>(new Model(std::move(definition), device, options));
}

Model::Model(std::shared_ptr<const ModelDefinition> definition, Device& device,
             const OpenOptions& options)
    : definition_(std::move(definition)),
      parameters_(device, config(), heads_of(options), options.arithmetic.compute,
                  options.trainable, options.arithmetic.products) {
  const bool classifies = options.purpose == Purpose::kClassify || options.purpose == Purpose::kTag;
  BERTHA_CHECK(classifies == (options.classes > 0));
  report_.weights = bert::load_weights(definition_->files().weights, parameters_,
                                       {.config = config(), .seed = options.seed});
  for (const std::string& line : report_.weights.warnings()) spdlog::warn("{}", line);
  report_missing(options);
}

void Model::report_missing(const OpenOptions& options) {
  const bert::ParameterTable& table = parameters_.table();
  const bert::ModelIndices& indices = table.indices();
  const std::vector<int> head = head_indices(indices, options.purpose);
  std::vector<std::string> body;
  for (const std::string& name : report_.weights.fresh) {
    const int index = table.find(name);
    const bool encoder = table[index].offset < table.layer_begin(config().num_hidden_layers);
    const bool pooler = options.purpose == Purpose::kClassify &&
                        (index == indices.pooler_weight || index == indices.pooler_bias);
    const bool in_head = contains(head, index);
    if (!encoder && (options.trainable || !(pooler || in_head))) continue;
    report_.missing.push_back(name);
    report_.head_missing = report_.head_missing || in_head;
    if (!in_head) body.push_back(name);
  }
  const std::string& path = report_.weights.path;
  const HeadText text = text_of(options.purpose);
  if (!body.empty() && !options.on_missing) fail("{}: {} is missing", path, first_of(body));
  if (!body.empty()) {
    options.on_missing(fmt::format("{}: {} is missing and gets random values: the {} are of no use",
                                   path, first_of(body), text.results));
  }
  if (!report_.head_missing) return;
  const std::string headless = fmt::format("{} has no {}", path, text.name);
  if (!options.on_missing) fail("{}; {}", headless, text.remedy);
  options.on_missing(fmt::format("{}: the {} are random; {}", headless, text.results, text.remedy));
}

}  // namespace bertha::infer
