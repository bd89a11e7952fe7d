#include "serve/model_lane.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

#include "core/error.h"
#include "infer/fill.h"
#include "serve/batch_cost.h"

namespace bertha::serve {
namespace {

constexpr int64_t kLeastBudget = 128;  // tokens of a batch of several windows
constexpr int64_t kMostBudget = 4096;
constexpr double kBatchSeconds = 0.06;  // what a batch of several windows should take at most

/// Windows of equal length for warming and timing; nothing is kept of their results.
class TimingJob final : public infer::WindowJob {
 public:
  TimingJob(int64_t windows, int64_t tokens, const ServedModel& served)
      : windows_(windows), tokens_(tokens), served_(served) {}

  int64_t windows() const override { return windows_; }
  infer::WindowSize size(int64_t) const override {
    return {.tokens = tokens_, .rows = picks() ? 1 : 0};
  }
  void append(int64_t, RaggedBatch& batch, std::vector<int32_t>& rows) const override {
    if (picks()) rows.push_back(static_cast<int32_t>(batch.tokens()));
    const auto vocabulary = static_cast<int32_t>(served_.info().vocabulary_size);
    for (int32_t i = 0; i < tokens_; ++i) {
      batch.ids.push_back(i % vocabulary);
      batch.segments.push_back(0);
      batch.positions.push_back(i);
    }
    batch.seq_start.push_back(static_cast<int32_t>(batch.tokens()));
  }
  void take(int64_t, std::span<const float>) override {}

 private:
  bool picks() const { return served_.purpose() == infer::Purpose::kFill; }

  int64_t windows_;
  int64_t tokens_;
  const ServedModel& served_;
};

/// The shorter of two runs; the first one also makes the arena large enough.
BatchTiming time_batch(infer::WindowRunner& runner, const ServedModel& served, int64_t windows,
                       int64_t tokens) {
  TimingJob job(windows, tokens, served);
  std::vector<infer::WindowRef> refs;
  for (int64_t i = 0; i < windows; ++i) refs.push_back({&job, i});
  BatchTiming timing = {.tokens = windows * tokens, .seconds = 1e9};
  for (int run = 0; run < 3; ++run) {
    const auto begin = std::chrono::steady_clock::now();
    runner.run(refs);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    timing.seconds = std::min(timing.seconds, taken.count());
  }
  return timing;
}

}  // namespace

ModelLane::ModelLane(std::span<const std::shared_ptr<const ServedModel>> models,
                     const ModelServiceOptions& options, int64_t threads)
    : pool_(std::max<int64_t>(threads, 1)), binding_(pool_) {
  device_ = options.open_device();
  arithmetic_ = options.arithmetic(*device_);
  for (const auto& served : models) models_.push_back(load(*served, options));
}

ModelLane::Loaded ModelLane::load(const ServedModel& served, const ModelServiceOptions& options) {
  Loaded loaded;
  // Random weights give answers that look like any other, so a missing tensor is an error.
  loaded.model = infer::Model::open(served.definition(), *device_,
                                    {.purpose = served.purpose(),
                                     .classes = served.has_labels() ? served.classes() : 0,
                                     .arithmetic = arithmetic_});
  const int64_t longest = served.config().max_tokens();
  const int64_t tokens = std::max({options.max_batch_tokens, kMostBudget, longest});
  loaded.runner = std::make_unique<infer::WindowRunner>(
      *loaded.model, served.purpose(),
      infer::BatchSize{
          .tokens = tokens, .sequences = tokens, .rows = std::max(infer::kFillRows, longest)});
  loaded.pace = measure(served, loaded, options.max_batch_tokens);
  spdlog::info(
      "model {}: {}, {} tokens at most; a batch takes {:.2f} ms and {:.3f} ms for each 32 tokens; "
      "batches of {} tokens",
      served.info().name, task_name(served.info().task), served.info().max_tokens,
      1e3 * loaded.pace.cost.fixed_seconds(), 32e3 * loaded.pace.cost.token_seconds(),
      loaded.pace.budget_tokens);
  return loaded;
}

ModelPace ModelLane::measure(const ServedModel& served, Loaded& loaded,
                             int64_t wanted_budget) const {
  const int64_t longest = std::min<int64_t>(served.config().max_tokens(), 128);
  std::vector<BatchTiming> timings;
  double token_seconds = 0;
  for (const auto& [windows, tokens] :
       {std::pair<int64_t, int64_t>{1, std::min<int64_t>(32, longest)},
        {1, longest},
        {2, longest},
        {4, longest},
        {16, longest},
        {32, longest}}) {
    const auto expected = token_seconds * static_cast<double>(windows * tokens);
    if (timings.size() >= 2 && expected > kBatchSeconds) break;
    timings.push_back(time_batch(*loaded.runner, served, windows, tokens));
    token_seconds = timings.back().seconds / static_cast<double>(timings.back().tokens);
  }
  ModelPace pace = {.cost = BatchCost::fit(timings)};
  pace.budget_tokens =
      wanted_budget > 0 ? wanted_budget : std::max(smallest_fast_batch(timings), kLeastBudget);
  if (served.purpose() == infer::Purpose::kFill) pace.budget_rows = infer::kFillRows;
  return pace;
}

void ModelLane::run(size_t model, std::span<const infer::WindowRef> windows) {
  models_[model].runner->run(windows);
}

std::vector<ModelPace> ModelLane::paces() {
  std::vector<ModelPace> all;
  for (const Loaded& loaded : models_) all.push_back(loaded.pace);
  return all;
}

}  // namespace bertha::serve
