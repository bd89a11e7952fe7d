#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <variant>

#include "bert/config.h"
#include "bert/export.h"
#include "bert/quantization_config.h"
#include "cli/inspect_commands.h"
#include "core/error.h"
#include "infer/model.h"
#include "io/weights/tensor_source.h"
#include "io/weights/tensor_statistics.h"
#include "text/vocabulary.h"
#include "train/checkpoint_summary.h"

namespace bertha::cli {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const io::TensorSource& source, const io::TensorInfo& info) {
  if (!info.foreign_type.empty()) {
    return {{"name", info.name}, {"dtype", info.foreign_type}, {"shape", info.shape}};
  }
  const io::TensorStatistics s = io::tensor_statistics(io::read_values(source, info));
  return {{"name", info.name},   {"dtype", name_of(info.dtype)},
          {"shape", info.shape}, {"norm", s.norm},
          {"min", s.least},      {"max", s.most},
          {"nan", s.nan},        {"infinite", s.infinite}};
}

Json json_of(const train::RunRecord& run) {
  Json settings;
  for (const auto& [name, value] : run.settings) settings[name] = value;
  return {{"run_id", run.run_id},
          {"rows_consumed", run.rows_consumed},
          {"skipped_steps", run.skipped_steps},
          {"checkpoints", run.written},
          {"settings", settings}};
}

Json json_of(const train::CheckpointSummary& summary) {
  const train::CheckpointState& state = summary.state;
  Json result = {
      {"epoch", state.epoch}, {"shards", state.files.size()}, {"next_shard", state.file_index}};
  if (state.run) result["step"] = state.step;
  Json& optimizer = result["optimizer"];
  for (const auto& [name, number] : summary.optimizer) {
    std::visit([&optimizer, &key = name](auto value) { optimizer[key] = value; }, number);
  }
  if (!state.vocabulary.empty()) {
    result["vocabulary_pieces"] = text::Vocabulary::parse(state.vocabulary).size();
  }
  if (state.run) result["run"] = json_of(*state.run);
  return result;
}

/// What the config says; the class that it and the weights make, where they are a model.
void describe_model(const infer::ModelFiles& files, Json& result) {
  const bert::ConfigFile said = infer::read_config_file(files);
  result["config"] = Json::parse(bert::recipe_config_json(said.config));
  if (said.int8_weights) result["quantization"] = bert::kInt8Scheme;
  if (!said.head.labels.empty()) result["labels"] = said.head.labels;
  if (!said.head.problem_type.empty()) result["problem_type"] = said.head.problem_type;
  try {
    const bert::WeightFile weights(files.weights);
    const bert::ModelClass model = bert::model_class_of(weights, said.head.architecture);
    result["architecture"] = bert::architecture(model, said.config);
  } catch (const Error& error) {
    result["not_a_model"] = error.what();
  }
}

Json describe(const std::string& path) {
  const auto source = io::open_weights(infer::find_model(path).weights);
  int64_t elements = 0;
  for (const io::TensorInfo& info : source->tensors()) elements += io::element_count(info.shape);
  Json result = {{"path", path},
                 {"format", source->format()},
                 {"tensors_count", source->tensors().size()},
                 {"elements", elements}};
  if (const auto refused = source->refused_globals(); !refused.empty()) {
    result["refused_globals"] = refused;
  }
  if (const infer::ModelFiles files = infer::find_model(path); infer::has_config(files)) {
    describe_model(files, result);
  }
  if (const auto summary = train::summarize_checkpoint(path))
    result["training"] = json_of(*summary);
  result["tensors"] = Json::array();
  for (const io::TensorInfo& info : source->tensors()) {
    result["tensors"].push_back(json_of(*source, info));
  }
  return result;
}

/// "key  value" lines. The lines of an object within are indented.
void print_object(const Json& object, size_t indent) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      fmt::print("{:{}}{}\n", "", indent, key);
      print_object(value, indent + 2);
    } else {
      fmt::print("{:{}}{:<30} {}\n", "", indent, key,
                 value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
}

void print_text(const Json& file) {
  for (const auto& [key, value] : file.items()) {
    if (key == "refused_globals") {
      fmt::print("{:<30} {}\n", "code that was not run", value.dump());
    } else if (key != "tensors") {
      print_object({{key, value}}, 0);
    }
  }
  size_t widest = 0;
  for (const Json& t : file["tensors"]) {
    widest = std::max(widest, t["name"].get_ref<const std::string&>().size());
  }
  for (const Json& t : file["tensors"]) {
    if (!t.contains("norm")) {
      fmt::print("{:<{}} {:<5} {:<14} not converted\n", t["name"].get<std::string>(),
                 std::min<size_t>(widest, 100), t["dtype"].get<std::string>(),
                 io::shape_string(t["shape"].get<std::vector<int64_t>>()));
      continue;
    }
    fmt::print("{:<{}} {:<5} {:<14} norm {:<11.6g} min {:<10.4g} max {:.4g}",
               t["name"].get<std::string>(), std::min<size_t>(widest, 100),
               t["dtype"].get<std::string>(),
               io::shape_string(t["shape"].get<std::vector<int64_t>>()), t["norm"].get<double>(),
               t["min"].get<double>(), t["max"].get<double>());
    if (t["nan"] != 0) fmt::print(" {} NaN", t["nan"].get<int64_t>());
    if (t["infinite"] != 0) fmt::print(" {} infinite", t["infinite"].get<int64_t>());
    fmt::print("\n");
  }
}

}  // namespace

int inspect_weights(const InspectOptions& options) {
  const Json file = describe(options.path);
  if (options.json) {
    // Names are those of the file: bytes in them that are not UTF-8 are replaced.
    fmt::print("{}\n", file.dump(2, ' ', false, Json::error_handler_t::replace));
  } else {
    print_text(file);
  }
  return 0;
}

}  // namespace bertha::cli
