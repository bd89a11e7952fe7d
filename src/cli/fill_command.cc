#include <spdlog/spdlog.h>

#include <cstdio>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/device_choice.h"
#include "cli/model_choice.h"
#include "cli/options.h"
#include "cli/text_input.h"
#include "core/error.h"
#include "infer/fill.h"

namespace bertha::cli {
namespace {

constexpr size_t kTextsTogether = 64;

struct FillOptions {
  ModelChoice model;
  int64_t top = 5;
  std::vector<std::string> sentences;
  std::string input;
  std::string text_key = "text";
  bool json = false;
  DeviceChoice device;
};

void print(const std::string& sentence, const infer::FillResult& result) {
  fmt::print("{}\n", sentence);
  for (const auto& candidates : result.masks) {
    for (const infer::FillCandidate& candidate : candidates) {
      fmt::print("  {:6.3f}  {:<14}  {}\n", candidate.probability, candidate.piece,
                 candidate.filled);
    }
  }
}

/// The keys are those of transformers' pipeline.
void print_as_json(const TextRecord& record, const infer::FillResult& result,
                   std::string_view key) {
  OrderedJson masks = OrderedJson::array();
  for (const auto& candidates : result.masks) {
    OrderedJson list = OrderedJson::array();
    for (const infer::FillCandidate& candidate : candidates) {
      list.push_back({{"score", candidate.probability},
                      {"token", candidate.id},
                      {"token_str", candidate.piece},
                      {"sequence", candidate.filled}});
    }
    masks.push_back(std::move(list));
  }
  OrderedJson line = fields_of(record, key);
  line["masks"] = std::move(masks);
  print_json(line);
}

void fill(infer::FillTask& task, const TextRecord& record, const FillOptions& o) {
  const infer::FillRequest request = {.text = record.text, .top = o.top};
  const infer::FillResult result = task.run({&request, 1}).front();
  if (o.json) {
    print_as_json(record, result, o.text_key);
  } else {
    print(record.text, result);
  }
}

void fill_all(const FillOptions& o) {
  std::optional<TextReader> reader;  // opened first: a wrong name costs no time
  if (!o.input.empty()) reader.emplace(o.input, o.text_key);
  const std::unique_ptr<Device> device = o.device.open();
  const std::unique_ptr<infer::Model> model =
      infer::Model::open(o.model.files(), *device,
                         {.purpose = infer::Purpose::kFill,
                          .arithmetic = o.device.arithmetic(*device),
                          .on_missing = warn_of_missing});
  for (const std::string& line : model->report().weights.lines()) spdlog::debug("{}", line);
  infer::FillTask task(*model);
  for (const std::string& sentence : o.sentences) fill(task, {.text = sentence}, o);
  while (reader) {
    const std::vector<TextRecord> records = reader->next(kTextsTogether);
    for (const TextRecord& record : records) fill(task, record, o);
    if (records.empty()) break;
    flush_output();
  }
}

}  // namespace

int run_fill(Arguments arguments) {
  FillOptions o;
  Options table("bertha fill",
                "Predicts the [MASK] of a sentence: the most probable words, each with its "
                "probability and the sentence filled in. Several [MASK] are predicted "
                "independently.");
  table.example("bertha fill 'Paris is the [MASK] of France.' --checkpoint=bert-base-uncased",
                "The five most probable words");
  table.example("bertha fill --checkpoint=bert-base-uncased --input=sentences.txt --json",
                "The same for each line of a file, as JSON");
  table.positional("SENTENCE...", o.sentences, 0,
                   "text with at least one [MASK]; -: lines of standard input");
  table.file("input", o.input, "texts, one on each line, or a .jsonl file; -: standard input");
  table.value("text_key", o.text_key, "key of the text in a JSONL object");
  table.flag("json", o.json,
             "print a JSON object for each text: its fields and the list \"masks\"");
  o.model.declare(table, "weights with a masked language model head");
  table.value("top", o.top, "number of words to print for each [MASK]");
  o.device.declare(table);
  table.parse(arguments);
  if (o.top < 1) fail("--top {}: expected at least 1", o.top);
  if (o.input.empty() && o.sentences == std::vector<std::string>{"-"}) {
    o.sentences.clear();
    o.input = "-";
  }
  if (o.input.empty() && o.sentences.empty()) fail("a SENTENCE or --input is needed");
  fill_all(o);
  return 0;
}

}  // namespace bertha::cli
