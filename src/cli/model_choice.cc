#include "cli/model_choice.h"

#include <spdlog/spdlog.h>

#include <filesystem>

#include "core/error.h"
#include "prepare/sources.h"

namespace bertha::cli {

void ModelChoice::declare(Options& options, const std::string& weights_help) {
  options.file("init_checkpoint", checkpoint, weights_help);
  options.required();
  options.alias("checkpoint", "init_checkpoint");
  declare_files(options);
}

void ModelChoice::declare_files(Options& options) {
  options.file(
      "config_file", config_file,
      "bert_config.json or config.json; default: the file beside the weights, or the config "
      "that a checkpoint carries");
  options.file(
      "vocab_file", vocab_file,
      "vocab.txt or tokenizer.json; default: the file beside the weights, or the vocabulary "
      "that a checkpoint carries");
  options.flag("do_lower_case", lower_case,
               "the vocabulary is uncased; the tokenizer's files and the vocabulary's use of "
               "capital letters go before this and --cased; where nothing says it, uncased");
  options.flag("cased", cased, "the vocabulary is cased");
}

infer::ModelFiles ModelChoice::files() const {
  check_weights_name(checkpoint);
  if (lower_case && cased) fail("--do-lower-case and --cased exclude each other");
  infer::ModelFiles files = infer::find_model(checkpoint);
  files.config = config_file;
  files.vocabulary = vocab_file;
  if (lower_case || cased) files.lower_case = lower_case;
  return files;
}

void check_weights_name(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) return;
  for (const prepare::GoogleModel& model : prepare::google_models()) {
    if (path != model.name) continue;
    fail("{}: no such file or folder; bertha download {} fetches these weights, into {}", path,
         model.name, model.folder);
  }
}

void warn_of_missing(const std::string& warning) {
  spdlog::warn("{}", warning);
}

}  // namespace bertha::cli
