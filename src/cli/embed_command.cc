#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>

#include "cli/commands.h"
#include "cli/device_choice.h"
#include "cli/embed_files.h"
#include "cli/model_choice.h"
#include "cli/options.h"
#include "core/error.h"
#include "core/strings.h"
#include "infer/embed.h"
#include "text/model_input.h"

namespace bertha::cli {
namespace {

constexpr size_t kWindow = 4096;  // texts read, sorted by length and run together

struct EmbedOptions {
  ModelChoice model;
  DeviceChoice device;
  std::string input = "-";
  std::string output = "-";
  std::string format;
  std::string text_key = "text";
  std::string pooling;
  std::string normalize;
  infer::EmbedChoice choice;
};

void declare(Options& table, EmbedOptions& o) {
  o.model.declare(table, "weights of a BERT encoder");
  table.file("input", o.input, "texts, one on each line, or a .jsonl file; -: standard input");
  table.file("output", o.output,
             "file for the vectors: one JSON array on each line, or .npy; -: standard output");
  table.choice("format", o.format, {"jsonl", "npy"},
               "output format; default: by the name of the output");
  table.value("text_key", o.text_key, "key of the text in a JSONL object");
  table.value("pooling", o.pooling,
              "cls, max, mean, mean_sqrt_len_tokens, weightedmean or lasttoken, or several with "
              "commas between them; default: as the model's folder says, otherwise mean");
  table.value("normalize", o.normalize,
              "true or false: scale each vector to length 1; default: as the model's folder says, "
              "otherwise true");
  table.value("prompt_name", o.choice.prompt_name,
              "name of a prompt in config_sentence_transformers.json to put before each text; "
              "default: its default_prompt_name");
  table.value("prompt", o.choice.prompt, "text to put before each text; it replaces the named one");
  table.value("max_seq_length", o.choice.max_tokens,
              "maximum number of tokens; longer texts are cut; 0: as the model's folder says, "
              "otherwise the maximum of the model");
  table.value("batch_tokens", o.choice.batch_tokens,
              "number of tokens that are computed together; 0: 4096, or one text if that is more");
  o.device.declare(table);
}

std::vector<infer::Pooling> poolings_of(const std::string& typed) {
  std::vector<infer::Pooling> modes;
  for (size_t begin = 0; begin < typed.size();) {
    const size_t end = std::min(typed.find(',', begin), typed.size());
    const std::string_view name = std::string_view(typed).substr(begin, end - begin);
    const auto names = infer::pooling_names();
    const auto found = std::ranges::find(names, name, &infer::PoolingName::mode);
    if (found == names.end()) {
      fail("--pooling {}: expected cls, max, mean, mean_sqrt_len_tokens, weightedmean or lasttoken",
           typed);
    }
    modes.push_back(found->pooling);
    begin = end + 1;
  }
  return modes;
}

infer::EmbedChoice choice_of(const EmbedOptions& o) {
  infer::EmbedChoice choice = o.choice;
  choice.pooling = poolings_of(o.pooling);
  if (!o.normalize.empty()) {
    const std::string typed = lower_ascii(o.normalize);
    if (typed != "true" && typed != "false") {
      fail("--normalize {}: expected true or false", o.normalize);
    }
    choice.normalize = typed == "true";
  }
  return choice;
}

/// The modules of a sentence-transformers folder, with warnings about unknown keys.
std::optional<infer::SentenceModules> modules_of(const infer::ModelFiles& files) {
  if (files.modules.empty()) return std::nullopt;
  std::optional<infer::SentenceModules> modules = infer::read_sentence_modules(files.modules);
  for (const std::string& note : modules->notes) spdlog::warn("{}", note);
  return modules;
}

/// Embeds all texts. Warns if texts were cut, and if many tokens are unknown.
/// A vector with NaN is no JSON, and searches that compare it go wrong in silence.
void check_finite(std::span<const float> vector, int64_t number) {
  if (std::ranges::all_of(vector, [](float value) { return std::isfinite(value); })) return;
  fail(
      "the vector of text {} has NaN or infinite numbers; bertha inspect shows which weights have "
      "such elements",
      number);
}

void embed_all(infer::EmbedTask& task, TextReader& reader, VectorWriter& writer,
               const text::Tokenizer& tokenizer, const std::string& source, int64_t max_tokens) {
  int64_t count = 0;
  text::UnknownShare unknown;
  int64_t cut = 0;
  for (auto texts = reader.next(kWindow); !texts.empty(); texts = reader.next(kWindow)) {
    std::vector<infer::EmbedRequest> requests;
    requests.reserve(texts.size());
    for (const std::string& text : texts) requests.push_back({.text = text});
    for (const infer::EmbedResult& result : task.run(requests)) {
      check_finite(result.vector, ++count);
      writer.write(result.vector);
      cut += result.cut ? 1 : 0;
      unknown += result.unknown;
    }
  }
  writer.finish();
  spdlog::info("{}", unknown.text(tokenizer));
  const std::string warning = unknown.warning(tokenizer, source);
  if (!warning.empty()) spdlog::warn("{}", warning);
  if (cut > 0) spdlog::warn("{} of {} texts were cut at {} tokens", cut, count, max_tokens);
}

void embed(const EmbedOptions& o) {
  infer::ModelFiles files = o.model.files();
  const std::optional<infer::SentenceModules> modules = modules_of(files);
  files.lower_case_first = modules && modules->lower_case;
  const auto definition = std::make_shared<const infer::ModelDefinition>(files);
  const infer::EmbedSettings settings = infer::embed_settings(*definition, modules, choice_of(o));
  TextReader reader(o.input, o.text_key);
  const auto writer =
      open_vectors(o.output, o.format, infer::vector_size(settings, definition->config()));
  const std::unique_ptr<Device> device = o.device.open();
  // A vector of random weights looks like any other, so a missing tensor is an error.
  const std::unique_ptr<infer::Model> model = infer::Model::open(
      definition, *device,
      {.purpose = infer::Purpose::kEmbed, .arithmetic = o.device.arithmetic(*device)});
  infer::EmbedTask task(*model, settings);
  embed_all(task, reader, *writer, definition->tokenizer(), o.input, settings.max_tokens);
}

}  // namespace

int run_embed(Arguments arguments) {
  EmbedOptions o;
  Options table("bertha embed",
                "Turns each text into a vector: the last layer of the encoder, pooled over the "
                "text's tokens. The folder of a sentence-transformers model says how: pooling, "
                "dense layers, normalization, maximum length and prompts. Without such files the "
                "vector is the mean over all tokens, scaled to length 1.");
  table.example("bertha embed --checkpoint=all-MiniLM-L6-v2 --input=texts.txt --output=vectors.npy",
                "A vector for each line of a file");
  table.example("bertha embed --checkpoint=all-MiniLM-L6-v2 < texts.txt > vectors.jsonl",
                "The same as JSON, from standard input to standard output");
  declare(table, o);
  table.parse(arguments);
  embed(o);
  return 0;
}

}  // namespace bertha::cli
