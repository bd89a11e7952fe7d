#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "backend/cpu/cpu_device.h"
#include "cli/inspect_commands.h"
#include "cli/text_input.h"
#include "core/error.h"
#include "infer/quantization_report.h"

namespace bertha::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostTexts = 64;  // every value of the forward pass is kept

std::vector<std::string> texts_of(const InspectOptions& options) {
  if (options.text.empty()) return infer::quantization_texts();
  TextReader reader(options.text, "text");
  std::vector<std::string> texts;
  for (TextRecord& record : reader.next(kMostTexts)) texts.push_back(std::move(record.text));
  if (texts.empty()) fail("{}: no text", options.text);
  return texts;
}

}  // namespace

int inspect_quantisation(const InspectOptions& options) {
  const std::vector<std::string> texts = texts_of(options);
  cpu::CpuDevice device;
  const auto model = infer::Model::open(infer::find_model(options.path), device, {});
  const std::vector<infer::ProductError> errors = infer::quantization_errors(*model, texts);
  if (options.json) {
    Json result = {{"path", options.path}, {"texts", texts.size()}, {"products", Json::array()}};
    for (const infer::ProductError& error : errors) {
      result["products"].push_back(
          {{"name", error.name}, {"weight", error.weight}, {"result", error.result}});
    }
    fmt::print("{}\n", result.dump(2));
    return 0;
  }
  fmt::print("{:<60} {:>9} {:>9}\n", "relative error of", "weight", "result");
  for (const infer::ProductError& error : errors) {
    fmt::print("{:<60} {:>8.3f}% {:>8.3f}%\n", error.name, 100 * error.weight, 100 * error.result);
  }
  return 0;
}

}  // namespace bertha::cli
