#pragma once

// From the encoder's token vectors to the vector of a text: pooling (Reimers and Gurevych 2019,
// section 3) and the layers that sentence-transformers puts behind it. H is the hidden size.

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace bertha::infer {

/// The order is that in which sentence-transformers joins several poolings.
enum class Pooling : uint8_t {
  kCls,             ///< the first token
  kMax,             ///< the largest value in each of the H places
  kMean,            ///< the mean over all tokens, [CLS] and [SEP] among them
  kMeanSqrtLength,  ///< the sum over the square root of the number of tokens
  kWeightedMean,    ///< the mean, where the token at place p from 1 weighs p (Muennighoff 2022)
  kLastToken        ///< the last token, which is [SEP]
};

/// A pooling and its names: `mode` in `pooling_mode`, `flag` in files before version 5.
struct PoolingName {
  Pooling pooling;
  std::string_view mode;
  std::string_view flag;
};
/// All of them, in order.
std::span<const PoolingName> pooling_names();

/// Pools the token vectors `rows` [n,H]. The result is [modes · H]. The first `skipped` < n rows
/// are left out; the others keep their places.
std::vector<float> pool(std::span<const float> rows, int64_t hidden_size,
                        std::span<const Pooling> modes, int64_t skipped = 0);

enum class DenseActivation : uint8_t { kIdentity, kTanh, kRelu, kGelu, kSigmoid, kSilu };

/// act(W x + b), and with a residual + R x or + x.
struct DenseLayer {
  int64_t inputs = 0;
  int64_t outputs = 0;
  DenseActivation activation = DenseActivation::kTanh;
  bool residual = false;
  std::vector<float> weight{};           ///< [outputs, inputs]
  std::vector<float> bias{};             ///< [outputs], or empty
  std::vector<float> residual_weight{};  ///< [outputs, inputs]; empty where both are equal
};

/// (x - mean) / √(variance + 1e-5) · gamma + beta.
struct VectorNorm {
  std::vector<float> gamma, beta;
};

/// Scales the vector to length 1.
struct UnitLength {};

/// Keeps the first elements (`truncate_dim`).
struct FirstElements {
  int64_t count = 0;
};

using SentenceLayer = std::variant<DenseLayer, VectorNorm, UnitLength, FirstElements>;

/// The layers' result for one vector.
std::vector<float> apply_layers(std::span<const SentenceLayer> layers, std::vector<float> vector);
/// Elements of the result for a vector of `inputs` elements. Throws Error for a layer that takes
/// vectors of another size.
int64_t output_size(std::span<const SentenceLayer> layers, int64_t inputs);

}  // namespace bertha::infer
