#include "infer/embedder.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "core/error.h"
#include "core/threads.h"
#include "ops/optimizer.h"

namespace bertha::infer {
namespace {

constexpr int64_t kShortest = 2;  // [CLS] and [SEP]

void scale_to_one(std::span<float> row) {
  double square = 0;
  for (const float value : row) square += static_cast<double>(value) * static_cast<double>(value);
  constexpr double kLeast = 1e-12;  // as torch.nn.functional.normalize
  const double factor = 1 / std::max(std::sqrt(square), kLeast);
  for (float& value : row) value = static_cast<float>(static_cast<double>(value) * factor);
}

/// Mean of `rows` [count, size] into `to`.
void mean_of(const float* rows, int64_t count, std::span<float> to) {
  std::vector<double> sum(to.size(), 0);
  for (int64_t r = 0; r < count; ++r) {
    const float* row = rows + r * std::ssize(to);
    for (size_t i = 0; i < to.size(); ++i) sum[i] += static_cast<double>(row[i]);
  }
  for (size_t i = 0; i < to.size(); ++i) {
    to[i] = static_cast<float>(sum[i] / static_cast<double>(count));
  }
}

}  // namespace

Embedder::Embedder(Device& device, const bert::Config& config,
                   const bert::ParameterStore& parameters, const text::Tokenizer& tokenizer,
                   const EmbedSettings& settings)
    : device_(device),
      config_(config),
      compute_(parameters.compute_dtype()),
      settings_(settings),
      tokenizer_(tokenizer),
      encoder_(config, parameters),
      predictor_(device, {settings.batch_tokens, settings.batch_tokens / kShortest, 1}) {
  BERTHA_CHECK(settings.max_tokens >= kShortest &&
               settings.max_tokens <= config.max_position_embeddings &&
               settings.batch_tokens >= settings.max_tokens);
}

std::vector<std::vector<int32_t>> Embedder::tokenize(const std::vector<std::string>& texts) {
  const text::SpecialIds special = tokenizer_.vocabulary().specials();
  std::vector<std::vector<int32_t>> tokens(texts.size());
  parallel_for(std::ssize(texts), 16, [&](int64_t i) {
    std::vector<int32_t>& ids = tokens[static_cast<size_t>(i)];
    ids.push_back(special.cls);
    tokenizer_.encode(texts[static_cast<size_t>(i)], ids);
    ids.push_back(special.sep);
  });
  for (std::vector<int32_t>& ids : tokens) {
    if (std::ssize(ids) <= settings_.max_tokens) continue;
    ids.resize(static_cast<size_t>(settings_.max_tokens));
    ids.back() = special.sep;
    ++cut_;
  }
  return tokens;
}

std::vector<float> Embedder::embed(const std::vector<std::string>& texts) {
  const std::vector<std::vector<int32_t>> tokens = tokenize(texts);
  std::vector<size_t> order(texts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return tokens[a].size() > tokens[b].size(); });
  std::vector<float> rows(texts.size() * static_cast<size_t>(size()));
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    int64_t total = 0;
    while (end < order.size() && total + std::ssize(tokens[order[end]]) <= settings_.batch_tokens) {
      total += std::ssize(tokens[order[end++]]);
    }
    run(tokens, std::span(order).subspan(begin, end - begin), rows);
    begin = end;
  }
  return rows;
}

void Embedder::run(const std::vector<std::vector<int32_t>>& tokens, std::span<const size_t> members,
                   std::vector<float>& rows) {
  batch_.clear();
  for (const size_t member : members) {
    const std::vector<int32_t>& ids = tokens[member];
    batch_.ids.insert(batch_.ids.end(), ids.begin(), ids.end());
    for (size_t i = 0; i < ids.size(); ++i) batch_.positions.push_back(static_cast<int32_t>(i));
    batch_.seq_start.push_back(static_cast<int32_t>(batch_.ids.size()));
  }
  batch_.segments.assign(batch_.ids.size(), 0);
  std::vector<float> hidden;
  predictor_.run(batch_, [&](Context& context, const bert::EncoderInputs& inputs) {
    encoder_.forward(context, inputs, bert::Keep::kNothing, saved_);
    const int64_t count = saved_.y.size();
    Tensor y = saved_.y;
    if (compute_ != DType::kF32) {
      y = context.make({count}, DType::kF32);
      ops::convert(context, saved_.y.reshape({count}), out(y));
    }
    if (context.dry()) return;
    hidden.resize(static_cast<size_t>(count));
    device_.read(y, hidden.data());
  });
  pool(hidden, members, rows);
}

void Embedder::pool(const std::vector<float>& hidden, std::span<const size_t> members,
                    std::vector<float>& rows) const {
  for (size_t i = 0; i < members.size(); ++i) {
    const int64_t begin = batch_.seq_start[i];
    const int64_t count = settings_.pooling == Pooling::kCls ? 1 : batch_.seq_start[i + 1] - begin;
    const std::span<float> to(rows.data() + members[i] * static_cast<size_t>(size()),
                              static_cast<size_t>(size()));
    mean_of(hidden.data() + begin * size(), count, to);
    if (settings_.normalize) scale_to_one(to);
  }
}

}  // namespace bertha::infer
