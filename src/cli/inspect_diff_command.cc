#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "bert/weights_diff.h"
#include "cli/inspect_commands.h"
#include "core/error.h"
#include "io/weights/tensor_data.h"

namespace bertha::cli {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const std::optional<double>& number) {
  return number ? Json(*number) : Json(nullptr);
}

Json json_of(const bert::TensorDifference& d) {
  if (d.types) return {{"types", {d.types->first, d.types->second}}, {"name", d.name}};
  if (!d.comparable()) return {{"shapes", {d.left_shape, d.right_shape}}, {"name", d.name}};
  return {{"differing", d.differing},
          {"of", d.elements},
          {"largest", json_of(d.largest)},
          {"relative", json_of(d.relative)},
          {"name", d.name}};
}

Json json_of(const bert::WeightsDiff& diff, const InspectOptions& options) {
  Json result = {{"left", options.path},          {"right", options.diff},
                 {"equal", diff.equal},           {"only_left", diff.only_left},
                 {"only_right", diff.only_right}, {"differing", Json::array()}};
  for (const bert::TensorDifference& d : diff.differing) result["differing"].push_back(json_of(d));
  return result;
}

void print_diff(const bert::WeightsDiff& diff, const InspectOptions& options) {
  for (const std::string& name : diff.only_left) {
    fmt::print("{:<64} only in {}\n", name, options.path);
  }
  for (const std::string& name : diff.only_right) {
    fmt::print("{:<64} only in {}\n", name, options.diff);
  }
  for (const bert::TensorDifference& d : diff.differing) {
    if (d.types) {
      fmt::print("{:<64} not compared: {} against {}\n", d.name, d.types->first, d.types->second);
    } else if (!d.comparable()) {
      fmt::print("{:<64} {} against {}\n", d.name, io::shape_string(d.left_shape),
                 io::shape_string(d.right_shape));
    } else {
      fmt::print("{:<64} {} of {} elements differ, largest {}, relative {}\n", d.name, d.differing,
                 d.elements, json_of(d.largest).dump(), json_of(d.relative).dump());
    }
  }
  fmt::print("{} tensors are equal\n", diff.equal);
}

}  // namespace

int inspect_diff(const InspectOptions& options) {
  const bert::WeightsDiff diff = bert::diff_weights(options.path, options.diff);
  if (options.json) {
    // Names are those of the files: bytes in them that are not UTF-8 are replaced.
    fmt::print("{}\n", json_of(diff, options).dump(2, ' ', false, Json::error_handler_t::replace));
  } else {
    print_diff(diff, options);
  }
  return diff.same() ? 0 : 1;
}

}  // namespace bertha::cli
