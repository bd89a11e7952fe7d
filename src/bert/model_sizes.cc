#include "bert/model_sizes.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/error.h"
#include "core/strings.h"

namespace bertha::bert {
namespace {

constexpr int64_t kHeadSize = 64;

struct ModelSize {
  std::string_view name;
  int64_t layers;
  int64_t hidden;
};

constexpr std::array kSizes = {ModelSize{"tiny", 2, 128},  ModelSize{"mini", 4, 256},
                               ModelSize{"small", 4, 512}, ModelSize{"medium", 8, 512},
                               ModelSize{"base", 12, 768}, ModelSize{"large", 24, 1024}};

}  // namespace

std::vector<std::string> model_sizes() {
  std::vector<std::string> names;
  names.reserve(kSizes.size());
  for (const ModelSize& size : kSizes) names.emplace_back(size.name);
  return names;
}

Config config_of_size(const std::string& size, int64_t vocab_size) {
  const auto* const found = std::ranges::find(kSizes, size, &ModelSize::name);
  if (found == kSizes.end()) {
    fail("there is no model size \"{}\"; there are {}", size, join(model_sizes(), ", "));
  }
  Config config;
  config.vocab_size = vocab_size;
  config.hidden_size = found->hidden;
  config.num_hidden_layers = found->layers;
  config.num_attention_heads = found->hidden / kHeadSize;
  config.intermediate_size = 4 * found->hidden;
  return config;
}

}  // namespace bertha::bert
