#include "infer/window_runner.h"

#include <algorithm>
#include <numeric>

#include "bert/classification.h"
#include "bert/pretraining.h"
#include "bert/question_answering.h"
#include "bert/token_classification.h"
#include "core/error.h"
#include "core/parallel_for.h"
#include "ops/convert.h"
#include "ops/copy.h"

namespace bertha::infer {
namespace {

/// The logits of a task model.
template <typename TaskModel>
class LogitsPass final : public ForwardPass {
 public:
  LogitsPass(std::string_view name, const Model& model)
      : model_(model.config(), model.parameters()), pass_(name, model_) {}
  std::string_view name() const override { return pass_.name(); }
  Shape result_shape(const BatchSize& size) const override { return pass_.result_shape(size); }
  void run(Context& context, const PassInputs& inputs, Out result) override {
    pass_.run(context, inputs, result);
  }

 private:
  TaskModel model_;
  TaskPass pass_;
};

/// The logits [R,V] of the language model head for the rows that are picked.
class MaskedPass final : public ForwardPass {
 public:
  explicit MaskedPass(const Model& model)
      : vocabulary_size_(model.config().vocab_size), model_(model.config(), model.parameters()) {}
  std::string_view name() const override { return "fill"; }
  Shape result_shape(const BatchSize& size) const override { return {size.rows, vocabulary_size_}; }
  void run(Context& context, const PassInputs& inputs, Out result) override {
    model_.masked_logits(context, inputs.encoder, inputs.rows, result);
  }

 private:
  int64_t vocabulary_size_;
  bert::PretrainingModel model_;
};

/// The last layer's output [T,H].
class EncoderPass final : public ForwardPass {
 public:
  explicit EncoderPass(const Model& model)
      : hidden_size_(model.config().hidden_size), encoder_(model.config(), model.parameters()) {}
  std::string_view name() const override { return "embed"; }
  Shape result_shape(const BatchSize& size) const override { return {size.tokens, hidden_size_}; }
  void run(Context& context, const PassInputs& inputs, Out result) override {
    encoder_.forward(context, inputs.encoder, bert::Keep::kNothing, saved_);
    if (saved_.y.dtype() != DType::kF32) {
      ops::convert(context, {.from = saved_.y, .to = result});
    } else {
      ops::copy(context, {.from = saved_.y, .to = result});
    }
  }

 private:
  int64_t hidden_size_;
  bert::Encoder encoder_;
  bert::EncoderContext saved_;
};

std::unique_ptr<ForwardPass> pass_of(const Model& model, Purpose purpose) {
  switch (purpose) {
    case Purpose::kFill:
      return std::make_unique<MaskedPass>(model);
    case Purpose::kAnswer:
      return std::make_unique<LogitsPass<bert::QuestionAnsweringModel>>("question answering",
                                                                        model);
    case Purpose::kClassify:
      return std::make_unique<LogitsPass<bert::ClassificationModel>>("classification", model);
    case Purpose::kTag:
      return std::make_unique<LogitsPass<bert::TokenClassificationModel>>("tagging", model);
    case Purpose::kEmbed:
      break;
  }
  return std::make_unique<EncoderPass>(model);
}

/// What rank 0 was asked counts for all ranks.
bool agreed_to_stop(const RunControls& controls, comm::Communicator& world) {
  if (controls.stop == nullptr) return false;
  std::byte stop{controls.stop->load()};
  world.broadcast({&stop, 1}, comm::Stage::kMetrics);
  return stop != std::byte{0};
}

}  // namespace

void WindowBatch::assign(std::span<const WindowRef> windows) {
  members.assign(windows.begin(), windows.end());
  tokens.clear();
  rows.clear();
  row_start.assign(1, 0);
  for (const WindowRef& member : members) {
    member.job->append(member.window, tokens, rows);
    row_start.push_back(std::ssize(rows));
  }
}

std::vector<std::vector<WindowRef>> batches_of(WindowJob& job, const BatchRoom& room,
                                               WindowOrder order) {
  std::vector<WindowRef> windows(static_cast<size_t>(job.windows()));
  for (size_t i = 0; i < windows.size(); ++i) windows[i] = {&job, static_cast<int64_t>(i)};
  if (order == WindowOrder::kLongestFirst) {
    std::ranges::stable_sort(windows, std::ranges::greater{},
                             [](const WindowRef& window) { return window.size().tokens; });
  }
  std::vector<std::vector<WindowRef>> batches;
  WindowSize used;
  for (const WindowRef& window : windows) {
    const WindowSize size = window.size();
    used.tokens += size.tokens;
    used.rows += size.rows;
    const bool fits = !batches.empty() && std::ssize(batches.back()) < room.windows &&
                      used.tokens <= room.tokens && (room.rows == 0 || used.rows <= room.rows);
    if (!fits) {
      batches.emplace_back();
      used = size;
    }
    batches.back().push_back(window);
  }
  return batches;
}

WindowRunner::WindowRunner(const Model& model, Purpose purpose, const BatchSize& limits)
    : pass_(pass_of(model, purpose)),
      purpose_(purpose),
      predictor_(model.device(), model.parameters().compute_dtype(), *pass_, limits,
                 model.parameters().table().has_token_types()) {}

WindowRunner::~WindowRunner() = default;

int64_t WindowRunner::result_size(const WindowBatch& batch) const {
  return predictor_.result_size(batch.tokens, std::ssize(batch.rows));
}

void WindowRunner::hand_out(const WindowBatch& batch, std::span<const float> result) const {
  const auto begin_of = [&](size_t member) {
    switch (purpose_) {
      case Purpose::kFill:
        return batch.row_start[member];
      case Purpose::kClassify:
        return static_cast<int64_t>(member);
      case Purpose::kAnswer:
      case Purpose::kTag:
      case Purpose::kEmbed:
        break;
    }
    return int64_t{batch.tokens.seq_start[member]};
  };
  const int64_t rows = begin_of(batch.members.size());
  if (rows == 0) return;
  const auto width = std::ssize(result) / rows;
  parallel_for(std::ssize(batch.members), 1, [&](int64_t i) {
    const auto member = static_cast<size_t>(i);
    const auto begin = static_cast<size_t>(begin_of(member) * width);
    const auto end = static_cast<size_t>(begin_of(member + 1) * width);
    const WindowRef& window = batch.members[member];
    window.job->take(window.window, result.subspan(begin, end - begin));
  });
}

void WindowRunner::run(std::span<const WindowRef> windows) {
  batch_.assign(windows);
  hand_out(batch_, predictor_.run(batch_.tokens, batch_.rows));
}

void WindowRunner::run(const std::vector<std::vector<WindowRef>>& batches,
                       comm::Communicator& world, const RunControls& controls) {
  const auto ranks = static_cast<size_t>(world.ranks());
  std::vector<WindowBatch> round(ranks);
  std::vector<int64_t> bounds(ranks + 1);
  std::vector<float> all;
  int64_t done = 0;
  for (size_t begin = 0; begin < batches.size(); begin += ranks) {
    if (agreed_to_stop(controls, world)) throw Stopped();
    for (size_t i = 0; i < ranks; ++i) {
      round[i].assign(begin + i < batches.size() ? std::span<const WindowRef>(batches[begin + i])
                                                 : std::span<const WindowRef>());
      bounds[i + 1] = bounds[i] + result_size(round[i]);
    }
    const WindowBatch& own = round[static_cast<size_t>(world.rank())];
    std::span<const float> mine;
    if (!own.members.empty()) mine = predictor_.run(own.tokens, own.rows);
    all.resize(world.leads() ? static_cast<size_t>(bounds.back()) : 0);
    world.gather(mine, all, bounds, comm::Stage::kMetrics);
    for (size_t i = 0; i < ranks && world.leads(); ++i) {
      if (round[i].members.empty()) continue;
      const auto part = static_cast<size_t>(bounds[i]);
      hand_out(round[i], std::span<const float>(all).subspan(
                             part, static_cast<size_t>(bounds[i + 1]) - part));
      done += std::ssize(round[i].members);
      if (controls.after_batch) controls.after_batch(done);
    }
  }
}

}  // namespace bertha::infer
