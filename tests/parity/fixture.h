#pragma once

// Reads the fixtures of this folder (README.md): the values that PyTorch computes from weights that
// both programs generate from a counter. They are stored as random projections.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "bert/config.h"
#include "bert/parameters.h"
#include "core/philox.h"
#include "core/ragged_batch.h"
#include "support/paths.h"

namespace bertha::test {

/// Relative distance from PyTorch that is allowed for gradients, and for weights after twenty
/// steps.
inline constexpr double kParityLimit = 1e-5;
/// The bias of a key has a gradient of exactly 0 (README.md).
inline bool is_key_bias(const std::string& name) {
  return name.ends_with("attention.self.key.bias");
}

class ParityFixture {
 public:
  /// `name` is "2x128" or "3x96".
  explicit ParityFixture(const std::string& name) {
    const std::string path = tests_path("parity/pretraining_") + name + ".json";
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot open " + path);
    json_ = nlohmann::json::parse(file);
    seed_ = json_["seed"].get<uint64_t>();
  }

  const nlohmann::json& json() const { return json_; }
  bert::Config config() const { return bert::parse_config(json_["config"].dump(), "fixture"); }

  /// The initial weights of the PyTorch run.
  void fill(bert::ParameterStore& store) const {
    const auto& parameters = store.table().parameters();
    for (size_t i = 0; i < parameters.size(); ++i) {
      store.write(static_cast<int>(i), initial_values(parameters[i], i).data());
    }
    store.weights_changed();
  }

  std::vector<float> initial_values(const bert::Parameter& parameter, size_t tensor) const {
    const bool gain = parameter.name.ends_with("LayerNorm.weight");
    std::vector<float> values(static_cast<size_t>(parameter.size()));
    for (size_t i = 0; i < values.size(); ++i) {
      const auto bits = static_cast<float>(word(i, tensor, 0) >> 8);
      values[i] = (gain ? 1.0F : 0.0F) + (bits * 0x1p-24F - 0.5F) * 0.25F;
    }
    return values;
  }

  /// Estimates ‖values − PyTorch's values‖ from the record's 32 projections; infinite for a NaN.
  double distance(std::span<const float> values, size_t tensor,
                  const nlohmann::json& record) const {
    std::array<double, 32> sums{};
    for (size_t i = 0; i < values.size(); ++i) {
      const uint32_t signs = word(i, tensor, 1);
      const auto value = static_cast<double>(values[i]);
      for (size_t j = 0; j < sums.size(); ++j) sums[j] += (signs >> j & 1U) != 0 ? value : -value;
    }
    double squares = 0;
    for (size_t j = 0; j < sums.size(); ++j) {
      const double difference = sums[j] - record["projections"][j].get<double>();
      squares += difference * difference;
    }
    const double result = std::sqrt(squares / static_cast<double>(sums.size()));
    return std::isfinite(result) ? result : std::numeric_limits<double>::infinity();
  }

  PretrainingBatch training_batch(size_t step) const {
    const nlohmann::json& batches = json_["batches"];
    return make_batch(batches[step % batches.size()]);
  }
  PretrainingBatch mixed_batch() const { return make_batch(json_["mixed_batch"]); }

 private:
  uint32_t word(size_t index, size_t tensor, uint32_t purpose) const {
    return philox({static_cast<uint32_t>(index), static_cast<uint32_t>(uint64_t{index} >> 32),
                   static_cast<uint32_t>(tensor), purpose},
                  seed_)[0];
  }

  static PretrainingBatch make_batch(const nlohmann::json& sequences) {
    PretrainingBatch batch;
    batch.clear();
    for (const nlohmann::json& sequence : sequences) {
      const auto start = static_cast<int32_t>(batch.tokens());
      const auto ids = sequence["ids"].get<std::vector<int32_t>>();
      const auto first_segment = sequence["first_segment"].get<int32_t>();
      for (int32_t place = 0; place < static_cast<int32_t>(ids.size()); ++place) {
        batch.ids.push_back(ids[static_cast<size_t>(place)]);
        batch.segments.push_back(place < first_segment ? 0 : 1);
        batch.positions.push_back(place);
      }
      for (const nlohmann::json& masked : sequence["masked"]) {
        batch.masked_rows.push_back(start + masked[0].get<int32_t>());
        batch.masked_labels.push_back(masked[1].get<int32_t>());
      }
      batch.seq_start.push_back(static_cast<int32_t>(batch.tokens()));
      batch.next_sentence.push_back(sequence["next_sentence"].get<int32_t>());
    }
    return batch;
  }

  nlohmann::json json_;
  uint64_t seed_ = 0;
};

}  // namespace bertha::test
