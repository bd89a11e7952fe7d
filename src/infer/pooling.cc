#include "infer/pooling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/error.h"

namespace bertha::infer {
namespace {

constexpr std::array<PoolingName, 6> kPoolingNames = {
    {{Pooling::kCls, "cls", "pooling_mode_cls_token"},
     {Pooling::kMax, "max", "pooling_mode_max_tokens"},
     {Pooling::kMean, "mean", "pooling_mode_mean_tokens"},
     {Pooling::kMeanSqrtLength, "mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens"},
     {Pooling::kWeightedMean, "weightedmean", "pooling_mode_weightedmean_tokens"},
     {Pooling::kLastToken, "lasttoken", "pooling_mode_lasttoken"}}};

/// The rows of a text that are pooled, and the place of the first, from 0.
struct Rows {
  std::span<const float> values;
  size_t size;
  size_t first;

  size_t count() const { return values.size() / size; }
  std::span<const float> row(size_t i) const { return values.subspan(i * size, size); }
};

/// Σ weight(place) · row, divided by `divisor`.
template <typename Weight>
void add_weighted(const Rows& rows, Weight weight, double divisor, std::vector<float>& to) {
  std::vector<double> sum(rows.size, 0);
  for (size_t r = 0; r < rows.count(); ++r) {
    const double factor = weight(rows.first + r);
    const std::span<const float> row = rows.row(r);
    for (size_t i = 0; i < rows.size; ++i) sum[i] += factor * static_cast<double>(row[i]);
  }
  for (const double value : sum) to.push_back(static_cast<float>(value / divisor));
}

void add_row(std::span<const float> row, std::vector<float>& to) {
  to.insert(to.end(), row.begin(), row.end());
}

void add_largest(const Rows& rows, std::vector<float>& to) {
  std::vector<float> largest(rows.row(0).begin(), rows.row(0).end());
  for (size_t r = 1; r < rows.count(); ++r) {
    const std::span<const float> row = rows.row(r);
    for (size_t i = 0; i < rows.size; ++i) largest[i] = std::max(largest[i], row[i]);
  }
  add_row(largest, to);
}

void add_pooled(Pooling mode, const Rows& rows, std::vector<float>& to) {
  const auto count = static_cast<double>(rows.count());
  const auto one = [](size_t) { return 1.0; };
  const auto place = [](size_t at) { return static_cast<double>(at + 1); };
  switch (mode) {
    case Pooling::kCls:
      return add_row(rows.row(0), to);
    case Pooling::kMax:
      return add_largest(rows, to);
    case Pooling::kMean:
      return add_weighted(rows, one, count, to);
    case Pooling::kMeanSqrtLength:
      return add_weighted(rows, one, std::sqrt(count), to);
    case Pooling::kWeightedMean:
      return add_weighted(rows, place, count * (place(rows.first) + (count - 1) / 2), to);
    case Pooling::kLastToken:
      return add_row(rows.row(rows.count() - 1), to);
  }
  BERTHA_CHECK(false);
}

double activated(DenseActivation activation, double x) {
  switch (activation) {
    case DenseActivation::kIdentity:
      return x;
    case DenseActivation::kTanh:
      return std::tanh(x);
    case DenseActivation::kRelu:
      return std::max(x, 0.0);
    case DenseActivation::kGelu:
      return x * 0.5 * (1 + std::erf(x / std::numbers::sqrt2));
    case DenseActivation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case DenseActivation::kSilu:
      return x / (1 + std::exp(-x));
  }
  BERTHA_CHECK(false);
}

double product(std::span<const float> matrix, size_t row, std::span<const float> x) {
  const std::span<const float> factors = matrix.subspan(row * x.size(), x.size());
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    sum += static_cast<double>(factors[i]) * static_cast<double>(x[i]);
  }
  return sum;
}

std::vector<float> run(const DenseLayer& layer, std::span<const float> x) {
  std::vector<float> result(static_cast<size_t>(layer.outputs));
  for (size_t row = 0; row < result.size(); ++row) {
    const double bias = layer.bias.empty() ? 0 : static_cast<double>(layer.bias[row]);
    double value = activated(layer.activation, product(layer.weight, row, x) + bias);
    if (layer.residual) {
      value += layer.residual_weight.empty() ? static_cast<double>(x[row])
                                             : product(layer.residual_weight, row, x);
    }
    result[row] = static_cast<float>(value);
  }
  return result;
}

std::vector<float> run(const VectorNorm& layer, std::span<const float> x) {
  constexpr double kEpsilon = 1e-5;  // as torch.nn.LayerNorm
  const auto count = static_cast<double>(x.size());
  double mean = 0;
  for (const float value : x) mean += static_cast<double>(value) / count;
  double variance = 0;
  for (const float value : x) {
    const double distance = static_cast<double>(value) - mean;
    variance += distance * distance / count;
  }
  const double factor = 1 / std::sqrt(variance + kEpsilon);
  std::vector<float> result(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const double unit = (static_cast<double>(x[i]) - mean) * factor;
    result[i] = static_cast<float>(unit * static_cast<double>(layer.gamma[i]) +
                                   static_cast<double>(layer.beta[i]));
  }
  return result;
}

std::vector<float> run(const UnitLength& /*layer*/, std::span<const float> x) {
  double square = 0;
  for (const float value : x) square += static_cast<double>(value) * static_cast<double>(value);
  constexpr double kLeast = 1e-12;  // as torch.nn.functional.normalize
  const double factor = 1 / std::max(std::sqrt(square), kLeast);
  std::vector<float> result(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    result[i] = static_cast<float>(static_cast<double>(x[i]) * factor);
  }
  return result;
}

std::vector<float> run(const FirstElements& layer, std::span<const float> x) {
  const std::span<const float> kept = x.first(std::min(x.size(), static_cast<size_t>(layer.count)));
  return {kept.begin(), kept.end()};
}

/// Sizes of a layer's input and output for vectors of `given` elements.
std::pair<int64_t, int64_t> sizes_of(const SentenceLayer& layer, int64_t given) {
  if (const auto* dense = std::get_if<DenseLayer>(&layer)) return {dense->inputs, dense->outputs};
  if (const auto* norm = std::get_if<VectorNorm>(&layer)) {
    return {std::ssize(norm->gamma), std::ssize(norm->gamma)};
  }
  if (const auto* first = std::get_if<FirstElements>(&layer)) {
    return {given, std::min(given, first->count)};
  }
  return {given, given};
}

}  // namespace

std::span<const PoolingName> pooling_names() {
  return kPoolingNames;
}

std::vector<float> pool(std::span<const float> rows, int64_t hidden_size,
                        std::span<const Pooling> modes, int64_t skipped) {
  BERTHA_CHECK(skipped >= 0 && std::ssize(rows) > skipped * hidden_size);
  const Rows pooled = {.values = rows.subspan(static_cast<size_t>(skipped * hidden_size)),
                       .size = static_cast<size_t>(hidden_size),
                       .first = static_cast<size_t>(skipped)};
  std::vector<float> vector;
  for (const Pooling mode : modes) add_pooled(mode, pooled, vector);
  return vector;
}

std::vector<float> apply_layers(std::span<const SentenceLayer> layers, std::vector<float> vector) {
  for (const SentenceLayer& layer : layers) {
    vector = std::visit([&vector](const auto& one) { return run(one, vector); }, layer);
  }
  return vector;
}

int64_t output_size(std::span<const SentenceLayer> layers, int64_t inputs) {
  for (const SentenceLayer& layer : layers) {
    const auto [taken, given] = sizes_of(layer, inputs);
    if (taken != inputs) {
      fail("a layer behind the pooling takes vectors of {} elements, and gets {}", taken, inputs);
    }
    inputs = given;
  }
  return inputs;
}

}  // namespace bertha::infer
