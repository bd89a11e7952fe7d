#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/device_choice.h"
#include "cli/embed_files.h"
#include "cli/model_choice.h"
#include "cli/options.h"
#include "core/error.h"
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
  std::string pooling = "mean";
  bool normalize = true;
  int64_t max_seq_length = 0;
  std::optional<int64_t> batch_tokens;
};

void declare(Options& table, EmbedOptions& o) {
  o.model.declare(table, "weights of a BERT encoder");
  table.value("input", o.input, "texts, one on each line, or a .jsonl file; -: standard input");
  table.value("output", o.output,
              "file for the vectors: one JSON array on each line, or .npy; -: standard output");
  table.value("format", o.format,
              "output format: jsonl or npy; default: by the name of the output");
  table.value("text_key", o.text_key, "key of the text in a JSONL object");
  table.value("pooling", o.pooling, "mean (of all tokens) or cls (the first token)");
  table.value("normalize", o.normalize, "scale each vector to length 1");
  table.value("max_seq_length", o.max_seq_length,
              "maximum number of tokens; longer texts are cut; 0: as the model's files say");
  table.value(
      "batch_tokens", o.batch_tokens,
      "number of tokens that are computed together; default: 4096, or one text where the model "
      "takes longer ones");
  o.device.declare(table);
}

infer::EmbedSettings settings_of(const EmbedOptions& o, const infer::ModelDefinition& definition) {
  if (o.pooling != "mean" && o.pooling != "cls") {
    fail("--pooling {}: expected mean or cls", o.pooling);
  }
  const int64_t most = definition.config().max_position_embeddings;
  infer::EmbedSettings settings;
  settings.pooling = o.pooling == "cls" ? infer::Pooling::kCls : infer::Pooling::kMean;
  settings.normalize = o.normalize;
  settings.max_tokens =
      o.max_seq_length == 0 ? text::allowed_tokens(definition.tokenizer(), most) : o.max_seq_length;
  if (settings.max_tokens < 2 || settings.max_tokens > most) {
    fail("--max_seq_length {}: expected 2 to the model's {}", o.max_seq_length, most);
  }
  constexpr int64_t kUsualBatch = 4096;
  constexpr int64_t kMostBatch = 1 << 20;
  settings.batch_tokens = o.batch_tokens.value_or(std::max(kUsualBatch, settings.max_tokens));
  if (settings.batch_tokens < settings.max_tokens || settings.batch_tokens > kMostBatch) {
    fail("--batch_tokens {}: expected {} (one text) to {}", settings.batch_tokens,
         settings.max_tokens, kMostBatch);
  }
  return settings;
}

/// Embeds all texts. Warns if texts were cut, and if many tokens are unknown.
void embed_all(infer::EmbedTask& task, TextReader& reader, VectorWriter& writer,
               const text::Tokenizer& tokenizer, const std::string& source, int64_t max_tokens) {
  int64_t count = 0;
  text::UnknownShare unknown;
  int64_t cut = 0;
  for (auto texts = reader.next(kWindow); !texts.empty(); texts = reader.next(kWindow)) {
    std::vector<infer::EmbedRequest> requests;
    for (const std::string& text : texts) requests.push_back({.text = text});
    for (const infer::EmbedResult& result : task.run(requests)) {
      writer.write(result.vector);
      cut += result.cut ? 1 : 0;
      unknown += result.unknown;
    }
    count += std::ssize(texts);
  }
  writer.finish();
  spdlog::info("{}", unknown.text(tokenizer));
  const std::string warning = unknown.warning(tokenizer, source);
  if (!warning.empty()) spdlog::warn("{}", warning);
  if (cut > 0) spdlog::warn("{} of {} texts were cut at {} tokens", cut, count, max_tokens);
}

void embed(const EmbedOptions& o) {
  const auto definition = std::make_shared<const infer::ModelDefinition>(o.model.files());
  const infer::EmbedSettings settings = settings_of(o, *definition);
  TextReader reader(o.input, o.text_key);
  const auto writer = open_vectors(o.output, o.format, definition->config().hidden_size);
  const std::unique_ptr<Device> device = o.device.open();
  // A vector of random weights looks like any other, so a missing tensor is an error.
  const std::unique_ptr<infer::Model> model =
      infer::Model::open(definition, *device,
                         {.purpose = infer::Purpose::kEmbed,
                          .compute = o.device.bf16(*device) ? DType::kBF16 : DType::kF32});
  infer::EmbedTask task(*model, settings);
  embed_all(task, reader, *writer, definition->tokenizer(), o.input, settings.max_tokens);
}

}  // namespace

int run_embed(Arguments arguments) {
  EmbedOptions o;
  Options table("bertha embed",
                "Turns each text into a vector: the mean of the last layer over its tokens, or its "
                "first token, scaled to length 1.");
  declare(table, o);
  if (!table.parse(arguments)) {
    std::fputs(table.help().c_str(), stdout);
    return 0;
  }
  embed(o);
  return 0;
}

}  // namespace bertha::cli
