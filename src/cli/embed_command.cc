#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "cli/commands.h"
#include "cli/device_choice.h"
#include "cli/model_choice.h"
#include "cli/nearest_texts.h"
#include "cli/options.h"
#include "cli/text_input.h"
#include "cli/vector_files.h"
#include "core/counted.h"
#include "core/error.h"
#include "core/strings.h"
#include "infer/embed.h"
#include "io/output_check.h"
#include "runlog/work_meter.h"
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
  bool overwrite = false;
  std::string text_key = "text";
  bool json = false;
  std::vector<std::string> queries;
  int64_t top = 10;
  std::string pooling;
  std::string normalize;
  infer::EmbedChoice choice;
};

void declare(Options& table, EmbedOptions& o) {
  o.model.declare(table, "weights of a BERT encoder");
  table.file("input", o.input, "texts, one on each line, or a .jsonl file; -: standard input");
  table.file("output", o.output,
             "file for the vectors: one JSON array on each line, or .npy; -: standard output");
  table.flag("overwrite", o.overwrite, "replace the file of --output");
  table.choice("format", o.format, {"jsonl", "npy"},
               "output format; default: by the name of the output");
  table.value("text_key", o.text_key, "key of the text in a JSONL object");
  table.flag(
      "json", o.json,
      "print a JSON object for each text, its fields and the \"embedding\", or for each query");
  table.values("query", o.queries,
               "print the texts that are nearest to this one, by cosine, in place of the vectors; "
               "the prompt \"query\" of the model's folder goes before it if there is one");
  table.value("top", o.top, "number of texts to print for each query");
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

/// A vector with NaN is no JSON, and searches that compare it go wrong in silence.
void check_finite(std::span<const float> vector, int64_t number) {
  if (std::ranges::all_of(vector, [](float value) { return std::isfinite(value); })) return;
  fail(
      "the vector of text {} has NaN or infinite numbers; bertha inspect shows which weights have "
      "such elements",
      number);
}

using TakeVector = std::function<void(std::span<const float>, const TextRecord&)>;

/// Embeds all texts and gives `take` each vector and its text. Warns if texts were cut, and if many
/// tokens are unknown. Returns the number of texts.
int64_t embed_all(infer::EmbedTask& task, TextReader& reader, const text::Tokenizer& tokenizer,
                  const std::string& source, int64_t max_tokens, runlog::WorkMeter& meter,
                  const TakeVector& take) {
  int64_t count = 0;
  text::UnknownShare unknown;
  int64_t cut = 0;
  for (auto records = reader.next(kWindow); !records.empty(); records = reader.next(kWindow)) {
    std::vector<infer::EmbedRequest> requests;
    requests.reserve(records.size());
    for (const TextRecord& record : records) requests.push_back({.text = record.text});
    const std::vector<infer::EmbedResult> results = task.run(requests);
    for (size_t i = 0; i < results.size(); ++i) {
      check_finite(results[i].vector, ++count);
      take(results[i].vector, records[i]);
      cut += results[i].cut ? 1 : 0;
      unknown += results[i].unknown;
    }
    meter.update(count, 0);
  }
  meter.clear();
  spdlog::log(unknown.unknown > 0 ? spdlog::level::info : spdlog::level::debug, "{}",
              unknown.text(tokenizer));
  const std::string warning = unknown.warning(tokenizer, source);
  if (!warning.empty()) spdlog::warn("{}", warning);
  if (cut > 0) {
    spdlog::warn("{} of {} {} cut at {} tokens", counted(cut, "text"), count,
                 cut == 1 ? "was" : "were", max_tokens);
  }
  return count;
}

/// The vectors of the queries. Models that are made for search say in their folder what goes before
/// a query.
std::vector<NearestTexts> embed_queries(const EmbedOptions& o, const infer::Model& model,
                                        const std::optional<infer::SentenceModules>& modules) {
  if (o.queries.empty()) return {};
  infer::EmbedChoice choice = choice_of(o);
  const bool chosen = choice.prompt || choice.prompt_name;
  if (!chosen && modules && modules->prompts.contains("query")) choice.prompt_name = "query";
  infer::EmbedTask task(model, infer::embed_settings(model.definition(), modules, choice));
  std::vector<infer::EmbedRequest> requests;
  for (const std::string& query : o.queries) requests.push_back({.text = query});
  std::vector<NearestTexts> nearest;
  for (infer::EmbedResult& result : task.run(requests)) {
    check_finite(result.vector, std::ssize(nearest) + 1);
    nearest.emplace_back(std::move(result.vector), static_cast<size_t>(o.top));
  }
  return nearest;
}

void print_nearest(const std::string& query, const std::vector<NearText>& texts,
                   const EmbedOptions& o) {
  if (o.json) {
    OrderedJson list = OrderedJson::array();
    for (const NearText& text : texts) {
      OrderedJson one = fields_of(text.record, o.text_key);
      one["line"] = text.record.line;
      one["score"] = text.cosine;
      list.push_back(std::move(one));
    }
    return print_json({{"query", query}, {"nearest", std::move(list)}});
  }
  if (o.queries.size() > 1) fmt::print("{}\n", query);
  for (const NearText& text : texts) {
    fmt::print("{:.4f}\t{}\t{}\n", text.cosine, text.record.line, text.record.text);
  }
}

void embed(const EmbedOptions& o) {
  infer::ModelFiles files = o.model.files();
  const std::optional<infer::SentenceModules> modules = modules_of(files);
  files.lower_case_first = modules && modules->lower_case;
  const auto definition = std::make_shared<const infer::ModelDefinition>(files);
  const infer::EmbedSettings settings = infer::embed_settings(*definition, modules, choice_of(o));
  TextReader reader(o.input, o.text_key);
  std::unique_ptr<VectorWriter> writer;
  if (o.queries.empty()) {
    io::check_output(o.output, std::array{o.input}, o.overwrite);
    writer = open_vectors(o.output, o.format, infer::vector_size(settings, definition->config()),
                          o.json ? std::optional(o.text_key) : std::nullopt);
  }
  const std::unique_ptr<Device> device = o.device.open();
  // A vector of random weights looks like any other, so a missing tensor is an error.
  const std::unique_ptr<infer::Model> model = infer::Model::open(
      definition, *device,
      {.purpose = infer::Purpose::kEmbed, .arithmetic = o.device.arithmetic(*device)});
  infer::EmbedTask task(*model, settings);
  std::vector<NearestTexts> nearest = embed_queries(o, *model, modules);
  // Lines of standard output would go through a line that shows the progress.
  runlog::WorkMeter meter("embed", "texts", writer && o.output == "-");
  const int64_t count =
      embed_all(task, reader, definition->tokenizer(), o.input, settings.max_tokens, meter,
                [&](std::span<const float> vector, const TextRecord& record) {
                  if (writer) writer->write(vector, record);
                  for (NearestTexts& texts : nearest) texts.offer(vector, record);
                });
  if (writer) writer->finish();
  if (writer && o.output != "-") {
    spdlog::info("{}: {} of {} numbers", o.output, counted(count, "vector"),
                 infer::vector_size(settings, definition->config()));
  }
  for (size_t i = 0; i < nearest.size(); ++i) print_nearest(o.queries[i], nearest[i].take(), o);
  flush_output();
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
  table.example(
      "bertha embed --checkpoint=all-MiniLM-L6-v2 --input=texts.txt --query='how to train' --top=5",
      "The five lines of a file that are nearest to a text");
  declare(table, o);
  table.parse(arguments);
  if (o.top < 1) fail("--top {}: expected at least 1", o.top);
  if (!o.queries.empty() && (o.output != "-" || !o.format.empty())) {
    fail("--query prints texts and no vectors: --output and --format do not go with it");
  }
  embed(o);
  return 0;
}

}  // namespace bertha::cli
