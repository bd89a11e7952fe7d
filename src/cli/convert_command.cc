#include <spdlog/spdlog.h>

#include <array>
#include <cmath>
#include <filesystem>

#include "bert/export.h"
#include "bert/weights.h"
#include "cli/commands.h"
#include "cli/model_choice.h"
#include "cli/options.h"
#include "cli/sandbox.h"
#include "core/error.h"
#include "core/strings.h"
#include "infer/sentence_modules.h"
#include "io/atomic_file.h"
#include "io/atomic_folder.h"
#include "io/file_status.h"
#include "io/output_check.h"
#include "text/tokenizer_export.h"

namespace bertha::cli {
namespace {

namespace fs = std::filesystem;

struct ConvertOptions {
  std::vector<std::string> paths;
  std::string to;
  std::string dtype;
  std::string architecture;
  bool overwrite = false;
  ModelChoice model;
};

/// The output format: --to, or the one that the name of OUT implies.
std::string format_of(const ConvertOptions& o) {
  if (!o.to.empty()) return o.to;
  const std::string ending = fs::path(o.paths[1]).extension().string();
  if (ending == ".pt" || ending == ".bin") return "pt";
  if (ending == ".onnx") return "onnx";
  if (ending.empty() || io::is_folder(o.paths[1])) return "hf";
  fail("{}: the name does not say the format; give --to pt, hf or onnx", o.paths[1]);
}

const std::string& checked_architecture(const std::string& typed) {
  if (!bert::class_named(typed)) {
    fail(
        "--architecture {}: expected the name of a class of transformers, such as "
        "BertForTokenClassification",
        typed);
  }
  return typed;
}

DType dtype_of(const ConvertOptions& o, const bert::WeightFile& file) {
  if (o.dtype == "fp32" || o.dtype == "int8") return DType::kF32;
  if (o.dtype == "fp16") return DType::kF16;
  if (o.dtype == "bf16") return DType::kBF16;
  const bool half = file.dtype() == DType::kF16 || file.dtype() == DType::kBF16;
  return half ? file.dtype() : DType::kF32;
}

/// The config with the true number of vocabulary rows. Config and file may have 30,522 rows or the
/// padded 30,528. The size of the vocabulary decides where it is known.
bert::Config true_config(bert::Config config, const bert::WeightFile& file,
                         const std::optional<text::TokenizerFile>& tokenizer) {
  const int64_t rows = file.vocabulary_rows();
  if (tokenizer) {
    infer::check_vocabulary(tokenizer->vocabulary, config.padded());
    const int64_t pieces = tokenizer->vocabulary.size();
    if (pieces > config.vocab_size - 8 && pieces < config.vocab_size) config.vocab_size = pieces;
  }
  if (rows < config.vocab_size && rows > config.vocab_size - 8) config.vocab_size = rows;
  return config;
}

void write_tokenizer(const std::string& folder, const ConvertOptions& o,
                     const text::TokenizerFile& file, const bert::Config& config) {
  const text::TokenizerOptions rules = infer::tokenizer_options(o.model.files(), file);
  io::write_file(folder + "/vocab.txt", text::vocabulary_text(file.vocabulary, rules));
  io::write_file(folder + "/tokenizer.json", text::tokenizer_json(file.vocabulary, rules));
  io::write_file(folder + "/tokenizer_config.json",
                 text::tokenizer_config_json(file.vocabulary, rules, config.max_tokens()));
}

void write_folder(const ConvertOptions& o, const bert::ExportModel& model,
                  const std::optional<text::TokenizerFile>& tokenizer) {
  io::AtomicFolder folder(o.paths[1]);
  bert::write_hugging_face(folder.temporary_path(), model);
  if (tokenizer) write_tokenizer(folder.temporary_path(), o, *tokenizer, model.config);
  const std::string modules = o.model.files().modules;
  if (!modules.empty()) infer::copy_sentence_modules(modules, folder.temporary_path());
  folder.commit();
  if (!tokenizer) spdlog::warn("no vocab.txt or tokenizer.json: the folder has no tokenizer");
}

/// Warns of tensors that the file holds and the result does not.
void warn_of_omissions(const bert::WeightFile& file, const bert::ExportModel& model,
                       const std::string& format) {
  std::vector<std::string> left = file.unused(*model.table);
  for (const bert::Parameter& parameter : model.table->parameters()) {
    const bool kept = bert::export_name(parameter.name, model.model, model.config).has_value();
    if (format != "pt" && !kept && file.has(parameter.name)) left.push_back(parameter.name);
  }
  if (left.empty()) return;
  spdlog::warn("not in {}, left out: {}", bert::architecture(model.model, model.config),
               join(left, ", "));
}

void convert(const ConvertOptions& o) {
  const std::string format = format_of(o);
  const infer::ModelFiles files = o.model.files();
  io::check_output(o.paths[1], std::array{o.paths[0], files.weights}, o.overwrite);
  const bert::WeightFile file(files.weights);
  std::optional<text::TokenizerFile> tokenizer;
  if (infer::has_tokenizer(files)) tokenizer = infer::read_tokenizer(files);
  bert::ConfigFile said = infer::read_config_file(files);
  if (!o.architecture.empty()) said.head.architecture = checked_architecture(o.architecture);
  const bert::Config config = true_config(said.config, file, tokenizer);
  const bert::ParameterTable table(config.padded(), file.heads());
  const DType dtype = dtype_of(o, file);
  const bool int8 = o.dtype == "int8";
  if (int8 && format != "hf") {
    fail(
        "--dtype int8: only a Hugging Face folder states the scheme of 8-bit integers; give --to "
        "hf");
  }
  const bert::ExportModel model = bert::export_model(
      file, table, config,
      {.dtype = dtype, .head = said.head, .computes = format == "onnx", .int8 = int8});
  if (format == "pt") bert::write_recipe_weights(o.paths[1], model);
  if (format == "onnx") bert::write_onnx(o.paths[1], model);
  if (format == "hf") write_folder(o, model, tokenizer);
  warn_of_omissions(file, model, format);
  spdlog::info("{}: {}, {} parameters in {}", o.paths[1], bert::architecture(model.model, config),
               table.parameter_count(), int8 ? "int8 and f32" : name_of(dtype));
}

}  // namespace

int run_convert(Arguments arguments) {
  ConvertOptions o;
  Options table("bertha convert",
                "Converts weights. The input is a checkpoint of this program or of the recipe, a "
                "Hugging Face folder, safetensors or a TensorFlow checkpoint. The output is the "
                "recipe's .pt, a Hugging Face folder or ONNX. The classes are those of Hugging "
                "Face: the encoder alone, pre-training, masked language model, next sentence, "
                "sequence and token classification, multiple choice and question answering. The "
                "state of the optimizer is not converted.");
  table.example("bertha convert results/ckpt_8601.pt bert-mine --vocab-file=vocab.txt",
                "A Hugging Face folder from a checkpoint");
  table.example("bertha convert bert-base-uncased model.onnx", "ONNX from a Hugging Face folder");
  table.positional("IN OUT", o.paths, 2, "the weights to read, and the file or folder to write");
  table.choice("to", o.to, {"pt", "hf", "onnx"},
               "output format: pt, hf or onnx; default: by the name of OUT");
  table.choice(
      "dtype", o.dtype, {"fp32", "fp16", "bf16", "int8"},
      "data type of the output: fp32, fp16 or bf16, or int8 for a Hugging Face folder: the "
      "encoder's matrices as 8-bit integers with a scale for each row (compressed-tensors "
      "int-quantized), the rest in fp32; default: as in the input, fp32 for integers");
  table.value("architecture", o.architecture,
              "class of the model for a classifier whose config does not name it, such as "
              "BertForTokenClassification or BertForMultipleChoice");
  table.flag("overwrite", o.overwrite, "replace the file OUT; a folder must be new or empty");
  o.model.declare_files(table);
  SandboxChoice sandbox;
  sandbox.declare(table);
  table.parse(arguments);
  if (o.paths.size() != 2) fail("bertha convert: expected IN and OUT, got {}", join(o.paths, " "));
  o.model.checkpoint = o.paths[0];
  sandbox.confine_files(rights_to_write({o.paths[1]}));
  sandbox.confine_calls();
  convert(o);
  return 0;
}

}  // namespace bertha::cli
