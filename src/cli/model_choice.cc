#include "cli/model_choice.h"

#include <filesystem>
#include <vector>

#include "core/error.h"
#include "core/strings.h"

namespace bertha::cli {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kConfigNames = {"bert_config.json", "config.json"};
const std::vector<std::string> kVocabularyNames = {"vocab.txt", "tokenizer.json"};

/// The first of `names` beside the weights, or in them where they are a folder; empty when there
/// is none.
std::string beside(const std::string& weights, const std::vector<std::string>& names) {
  std::error_code ignored;
  const fs::path path(weights);
  const fs::path folder = fs::is_directory(path, ignored) ? path : path.parent_path();
  for (const std::string& name : names) {
    if (fs::exists(folder / name, ignored)) return (folder / name).string();
  }
  return "";
}

std::string found(const std::string& named, const std::string& weights,
                  const std::vector<std::string>& names, const char* option) {
  if (!named.empty()) return named;
  std::string path = beside(weights, names);
  if (path.empty()) {
    fail("{}: no {} beside it; name one with --{}", weights, join(names, " or "), option);
  }
  return path;
}

}  // namespace

void ModelChoice::declare(Options& options, const std::string& weights_help) {
  options.value("init_checkpoint", checkpoint, weights_help);
  options.required();
  options.alias("checkpoint", "init_checkpoint");
  declare_files(options);
}

void ModelChoice::declare_files(Options& options) {
  options.value("config_file", config_file,
                "bert_config.json or config.json; default: beside the weights");
  options.value("vocab_file", vocab_file,
                "vocab.txt or tokenizer.json; default: beside the weights");
  options.flag("do_lower_case", lower_case,
               "an uncased vocabulary; default: as the tokenizer's files say, else uncased");
  options.flag("cased", cased, "a cased vocabulary");
}

bert::Config ModelChoice::config() const {
  return bert::load_config(found(config_file, checkpoint, kConfigNames, "config_file"));
}

bool ModelChoice::has_tokenizer() const {
  return !vocab_file.empty() || !beside(checkpoint, kVocabularyNames).empty();
}

text::TokenizerFile ModelChoice::tokenizer() const {
  if (lower_case && cased) fail("--do_lower_case and --cased exclude each other");
  return text::load_tokenizer(found(vocab_file, checkpoint, kVocabularyNames, "vocab_file"));
}

text::TokenizerOptions ModelChoice::rules(const text::TokenizerFile& file) const {
  return {.lower_case = lower_case || (!cased && file.lower_case.value_or(true)),
          .max_input_chars_per_word = file.max_input_chars_per_word};
}

void check_vocabulary(const text::Vocabulary& vocabulary, const bert::Config& config) {
  if (vocabulary.size() <= config.vocab_size) return;
  fail("{} has {} pieces, the model's config says vocab_size {}", vocabulary.name(),
       vocabulary.size(), config.vocab_size);
}

}  // namespace bertha::cli
