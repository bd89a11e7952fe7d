#include <spdlog/spdlog.h>

#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/device_choice.h"
#include "cli/model_choice.h"
#include "cli/options.h"
#include "core/error.h"
#include "infer/fill.h"

namespace bertha::cli {
namespace {

struct FillOptions {
  ModelChoice model;
  int64_t top = 5;
  std::vector<std::string> sentences;
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

void fill(const FillOptions& o) {
  const std::unique_ptr<Device> device = o.device.open();
  const std::unique_ptr<infer::Model> model =
      infer::Model::open(o.model.files(), *device,
                         {.purpose = infer::Purpose::kFill,
                          .arithmetic = o.device.arithmetic(*device),
                          .on_missing = warn_of_missing});
  for (const std::string& line : model->report().weights.lines()) spdlog::info("{}", line);
  infer::FillTask task(*model);
  for (const std::string& sentence : o.sentences) {
    const infer::FillRequest request = {.text = sentence, .top = o.top};
    print(sentence, task.run({&request, 1}).front());
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
  table.positional("SENTENCE...", o.sentences, 1, "text with at least one [MASK]");
  o.model.declare(table, "weights with a masked language model head");
  table.value("top", o.top, "number of words to print for each [MASK]");
  o.device.declare(table);
  table.parse(arguments);
  if (o.top < 1) fail("--top {}: expected at least 1", o.top);
  fill(o);
  return 0;
}

}  // namespace bertha::cli
