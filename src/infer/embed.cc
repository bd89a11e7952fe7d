#include "infer/embed.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/parallel_for.h"
#include "ops/convert.h"
#include "ops/copy.h"
#include "text/tokenizer_settings.h"

namespace bertha::infer {
namespace {

/// The least number of tokens of a text: the special tokens, or one token.
int64_t shortest(const Model& model, const EmbedSettings& settings) {
  const int64_t special = model.tokenizer().settings().sequence.special_tokens(false);
  if (special > settings.max_tokens) {
    fail("the tokenizer adds {} special tokens to a text, which may have {} tokens", special,
         settings.max_tokens);
  }
  return std::max<int64_t>(special, 1);
}

void scale_to_one(std::span<float> row) {
  double square = 0;
  for (const float value : row) square += static_cast<double>(value) * static_cast<double>(value);
  constexpr double kLeast = 1e-12;  // as torch.nn.functional.normalize
  const double factor = 1 / std::max(std::sqrt(square), kLeast);
  for (float& value : row) value = static_cast<float>(static_cast<double>(value) * factor);
}

/// The mean of `rows` [count, size].
std::vector<float> mean_of(std::span<const float> rows, size_t size) {
  std::vector<double> sum(size, 0);
  for (size_t begin = 0; begin < rows.size(); begin += size) {
    for (size_t i = 0; i < size; ++i) sum[i] += static_cast<double>(rows[begin + i]);
  }
  const size_t count = rows.size() / size;
  std::vector<float> mean(size);
  for (size_t i = 0; i < size; ++i) {
    mean[i] = static_cast<float>(sum[i] / static_cast<double>(count));
  }
  return mean;
}

const EmbedSettings& checked(const EmbedSettings& settings, const bert::Config& config) {
  BERTHA_CHECK(settings.max_tokens >= 1 && settings.max_tokens <= config.max_position_embeddings &&
               settings.batch_tokens >= settings.max_tokens);
  return settings;
}

}  // namespace

void EmbedTask::EncoderPass::run(Context& context, const PassInputs& inputs, Out result) {
  encoder_.forward(context, inputs.encoder, bert::Keep::kNothing, saved_);
  if (saved_.y.dtype() != DType::kF32) {
    ops::convert(context, {.from = saved_.y, .to = result});
  } else {
    ops::copy(context, {.from = saved_.y, .to = result});
  }
}

EmbedTask::EmbedTask(const Model& model, const EmbedSettings& settings)
    : tokenizer_(model.tokenizer()),
      hidden_size_(model.config().hidden_size),
      settings_(checked(settings, model.config())),
      pass_(model),
      predictor_(model.device(), model.parameters().compute_dtype(), pass_,
                 {.tokens = settings.batch_tokens,
                  .sequences = settings.batch_tokens / shortest(model, settings)}) {}

std::vector<text::ModelInput> EmbedTask::tokenize(std::span<const EmbedRequest> requests) const {
  std::vector<text::ModelInput> inputs(requests.size());
  parallel_for(std::ssize(requests), 16, [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    inputs[at] =
        text::model_input(tokenizer_, requests[at].text, std::nullopt, settings_.max_tokens);
    if (inputs[at].ids.empty()) fail("text {} has no token", i + 1);
  });
  return inputs;
}

std::vector<EmbedResult> EmbedTask::run(std::span<const EmbedRequest> requests) {
  const std::vector<text::ModelInput> tokens = tokenize(requests);
  std::vector<EmbedResult> results(requests.size());
  const int64_t special = tokenizer_.settings().sequence.special_tokens(false);
  for (size_t i = 0; i < tokens.size(); ++i) {
    results[i].cut = tokens[i].cut;
    results[i].unknown.add(tokens[i].ids, tokenizer_.specials().unk);
    results[i].unknown.tokens -= special;
  }
  std::vector<size_t> order(tokens.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return tokens[a].ids.size() > tokens[b].ids.size(); });
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    int64_t total = 0;
    const auto length = [&](size_t member) { return std::ssize(tokens[order[member]].ids); };
    while (end < order.size() && total + length(end) <= settings_.batch_tokens) {
      total += length(end++);
    }
    run_batch(tokens, std::span(order).subspan(begin, end - begin), results);
    begin = end;
  }
  return results;
}

void EmbedTask::run_batch(const std::vector<text::ModelInput>& inputs,
                          std::span<const size_t> members, std::vector<EmbedResult>& results) {
  batch_.clear();
  for (const size_t member : members) {
    const auto& [ids, segments, offsets, cut] = inputs[member];
    batch_.ids.insert(batch_.ids.end(), ids.begin(), ids.end());
    batch_.segments.insert(batch_.segments.end(), segments.begin(), segments.end());
    for (size_t i = 0; i < ids.size(); ++i) batch_.positions.push_back(static_cast<int32_t>(i));
    batch_.seq_start.push_back(static_cast<int32_t>(batch_.ids.size()));
  }
  const std::span<const float> hidden = predictor_.run(batch_);
  for (size_t i = 0; i < members.size(); ++i) {
    const auto begin = static_cast<size_t>(batch_.seq_start[i] * hidden_size_);
    const auto end = static_cast<size_t>(batch_.seq_start[i + 1] * hidden_size_);
    results[members[i]].vector = pool(hidden.subspan(begin, end - begin));
  }
}

std::vector<float> EmbedTask::pool(std::span<const float> rows) const {
  const auto size = static_cast<size_t>(hidden_size_);
  std::vector<float> vector =
      mean_of(settings_.pooling == Pooling::kCls ? rows.first(size) : rows, size);
  if (settings_.normalize) scale_to_one(vector);
  return vector;
}

}  // namespace bertha::infer
