#include "train/fine_tuning.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/philox.h"
#include "optim/step_scalars.h"

namespace bertha::train {
namespace {

// Slots of the scalar buffer, in units of kAlignmentBytes.
enum Slot : int64_t { kScalars, kNorm, kResult, kScale, kSeed, kSlots };

constexpr int64_t kSums = 3;  // of a micro-batch: labels, loss, right ones

constexpr uint64_t kOrderStream = 0x736875666665ULL;  // apart from the streams of initial weights

std::vector<ops::ParameterSpan> trained_spans(const bert::ParameterTable& table, bool pooler) {
  std::vector<ops::ParameterSpan> spans = table.spans();
  const bert::ModelIndices& i = table.indices();
  if (pooler || i.pooler_weight < 0) return spans;
  std::erase_if(spans, [&](const ops::ParameterSpan& span) {
    return span.offset == table[i.pooler_weight].offset ||
           span.offset == table[i.pooler_bias].offset;
  });
  return spans;
}

}  // namespace

FineTuningTrainer::FineTuningTrainer(Device& device, bert::ParameterStore& parameters,
                                     bert::TaskModel& model, const FineTuningSettings& settings,
                                     comm::Communicator& world)
    : device_(device),
      parameters_(parameters),
      model_(model),
      settings_(settings),
      world_(world),
      tokens_(device, {settings.max_tokens, settings.max_sequences, 1}),
      spans_(trained_spans(parameters.table(), settings.train_pooler)),
      labels_(device.allocate(settings.max_sequences * model.labels_per_sequence() *
                              size_of(DType::kI32))),
      first_(device.allocate(parameters.table().flat_size() * size_of(DType::kF32))),
      second_(device.allocate(parameters.table().flat_size() * size_of(DType::kF32))),
      scalars_(device.allocate(kSlots * kAlignmentBytes)),
      pending_(
          device.allocate(settings.accumulation * (settings.parts + 1) * 2 * size_of(DType::kF32))),
      arena_(device, measure_arena()),
      context_(device, arena_) {
  if (settings.sums.fixed_order) {
    tree_.emplace(device, parameters.table().flat_size(), settings.parts);
  }
}

Tensor FineTuningTrainer::slot(int64_t number, int64_t count) const {
  return Tensor(&scalars_, number * kAlignmentBytes, DType::kF32, {count});
}

int64_t FineTuningTrainer::measure_arena() {
  Arena measure;
  Context context(device_, measure);
  bert::TaskInputs inputs;
  inputs.encoder = tokens_.largest(true).encoder;
  inputs.labels =
      Tensor(&labels_, 0, DType::kI32, {settings_.max_sequences, model_.labels_per_sequence()});
  inputs.scale = slot(kScale, 1);
  model_.train(context, inputs, settings_.recompute, out(slot(kResult, 2)));
  ops::global_norm(context, parameters_.flat_gradients(), out(slot(kNorm, 1)));
  ops::clip_norm_each(context, inout(parameters_.flat_gradients()), spans_, 1);
  optimizer_pass(context);
  return measure.peak_bytes();
}

bert::TaskInputs FineTuningTrainer::upload(const TaskBatch& batch, int64_t sequences,
                                           uint32_t draw) {
  const int64_t each = model_.labels_per_sequence();
  BERTHA_CHECK(std::ssize(batch.labels) == batch.sequences() * each);
  bert::TaskInputs inputs;
  inputs.encoder = tokens_.upload_tokens(batch);
  inputs.labels = Tensor(&labels_, 0, DType::kI32, {batch.sequences(), each});
  device_.write(out(inputs.labels), batch.labels.data());
  inputs.scale = slot(kScale, 1);
  const auto scale =
      static_cast<float>(1 / static_cast<double>(sequences * each * settings_.accumulation));
  device_.write(out(inputs.scale), &scale);
  if (settings_.dropout) {
    inputs.encoder.dropout_seed = Tensor(&scalars_, kSeed * kAlignmentBytes, DType::kI64, {2});
    const std::array<int64_t, 2> seed = {static_cast<int64_t>(settings_.seed), int64_t{draw}};
    device_.write(out(inputs.encoder.dropout_seed), seed.data());
  }
  return inputs;
}

/// Where a micro-batch of the same update went before, its sum over ranks stays on one rank alone.
void FineTuningTrainer::begin_micro_batch() {
  if (std::ssize(pending_labels_) == settings_.accumulation) read_pending();
  if (holds_sum_ && !world_.leads()) device_.zero(out(parameters_.flat_gradients()));
}

void FineTuningTrainer::part(const TaskBatch& batch, int64_t sequences, uint32_t draw) {
  if (parts_done_ == 0) begin_micro_batch();
  BERTHA_CHECK(parts_done_ < settings_.parts);
  const Tensor result = slot(kResult, 2);
  if (batch.sequences() > 0) {
    const bert::TaskInputs inputs = upload(batch, sequences, draw);
    device_.run({.name = "fine-tuning micro-batch",
                 .bucket = inputs.encoder.tokens(),
                 .dtype = settings_.compute,
                 .sequences = batch.sequences()},
                [&] { model_.train(context_, inputs, settings_.recompute, out(result)); });
  } else {
    device_.zero(out(result));
  }
  device_.copy(result, out(pending(std::ssize(pending_labels_), parts_done_++)));
  if (tree_) tree_->fold(device_, inout(parameters_.flat_gradients()));
  if (parts_done_ == settings_.parts) {
    pending_labels_.push_back(sequences * model_.labels_per_sequence());
  }
}

void FineTuningTrainer::end_micro_batch() {
  BERTHA_CHECK(parts_done_ == settings_.parts);
  parts_done_ = 0;
  if (world_.ranks() > 1) {
    device_.synchronize();
    world_.all_reduce(inout(parameters_.flat_gradients()), settings_.sums);
    holds_sum_ = true;
  }
  clip();
  device_.copy(slot(kNorm, 2), out(pending(std::ssize(pending_labels_) - 1, settings_.parts)));
}

Tensor FineTuningTrainer::pending(int64_t micro_batch, int64_t place) const {
  const int64_t element = (micro_batch * (settings_.parts + 1) + place) * 2;
  return Tensor(&pending_, element * size_of(DType::kF32), DType::kF32, {2});
}

void FineTuningTrainer::read_pending() {
  const auto stride = static_cast<size_t>(settings_.parts + 1) * 2;
  std::vector<float> values(pending_labels_.size() * stride);
  if (values.empty()) return;
  device_.read(Tensor(&pending_, 0, DType::kF32, {std::ssize(values)}), values.data());
  for (size_t i = 0; i < pending_labels_.size(); ++i) {
    double loss = 0;
    double right = 0;
    const auto of = std::span<const float>(values).subspan(i * stride, stride);
    for (size_t part = 0; part + 2 < stride; part += 2) {
      loss += double{of[part]};
      right += double{of[part + 1]};
    }
    finite_ = finite_ && std::isfinite(of[stride - 2]);
    sums_.insert(sums_.end(), {static_cast<double>(pending_labels_[i]), loss, right});
  }
  pending_labels_.clear();
}

std::vector<TaskLoss> FineTuningTrainer::losses() {
  read_pending();
  std::vector<TaskLoss> result;
  std::vector<double> all = sums_;
  world_.all_reduce(all, comm::Stage::kMetrics);
  for (size_t i = 0; i < all.size(); i += kSums) {
    finite_ = finite_ && std::isfinite(all[i + 1]);
    result.push_back({.mean = all[i + 1] / sums_[i], .right = std::llround(all[i + 2])});
  }
  sums_.clear();
  return result;
}

void FineTuningTrainer::clip() {
  const Tensor norm = slot(kNorm, 1);
  const Tensor gradients = parameters_.flat_gradients();
  device_.run({"clip", 0, settings_.compute}, [&] {
    ops::global_norm(context_, gradients, out(norm));
    ops::clip_norm(context_, inout(gradients), norm,
                   static_cast<float>(settings_.max_gradient_norm));
  });
}

void FineTuningTrainer::optimizer_pass(Context& context) {
  ops::adamw(context,
             {.weights = parameters_.flat_weights(),
              .gradients = parameters_.flat_gradients(),
              .first = flat(first_),
              .second = flat(second_),
              .shadow = parameters_.flat_shadow()},
             spans_, settings_.adam, slot(kScalars, ops::kStepScalars));
}

bool FineTuningTrainer::update(double rate, int64_t number) {
  BERTHA_CHECK(pending_labels_.empty() && sums_.empty());
  const bool finite = finite_;
  finite_ = true;
  holds_sum_ = false;
  if (finite) {
    const std::array<float, ops::kStepScalars> scalars =
        optim::step_scalars(settings_.adam, {.step = number,
                                             .rate = rate,
                                             .max_norm = 0,
                                             .bias_correction = settings_.bias_correction});
    device_.write(out(slot(kScalars, ops::kStepScalars)), scalars.data());
    device_.run({"fine-tuning update", 0, settings_.compute}, [&] {
      if (settings_.clip_each) {
        ops::clip_norm_each(context_, inout(parameters_.flat_gradients()), spans_,
                            static_cast<float>(settings_.max_gradient_norm));
      }
      optimizer_pass(context_);
    });
    device_.parameters_changed();
  }
  device_.zero(out(parameters_.flat_gradients()));
  return finite;
}

Tensor FineTuningTrainer::flat(const Buffer& buffer) const {
  return Tensor(&buffer, 0, DType::kF32, {parameters_.table().flat_size()});
}

Tensor FineTuningTrainer::moment(const Buffer& buffer, int index) const {
  const bert::Parameter& parameter = parameters_.table()[index];
  return Tensor(&buffer, parameter.offset * size_of(DType::kF32), DType::kF32, parameter.shape);
}

void FineTuningTrainer::read_moments(int index, float* first, float* second) const {
  if (first != nullptr) device_.read(moment(first_, index), first);
  if (second != nullptr) device_.read(moment(second_, index), second);
}

void FineTuningTrainer::write_moments(int index, const float* first, const float* second) {
  device_.write(out(moment(first_, index)), first);
  device_.write(out(moment(second_, index)), second);
}

void FineTuningTrainer::broadcast_moments() {
  for (const Buffer* buffer : {&first_, &second_}) {
    const Tensor values = flat(*buffer);
    world_.broadcast_tensor(device_, inout(values), comm::Stage::kWeights);
  }
}

TaskPredictor::TaskPredictor(Device& device, const bert::ParameterStore& parameters,
                             bert::TaskModel& model, int64_t max_tokens, int64_t max_sequences)
    : device_(device),
      model_(model),
      compute_(parameters.compute_dtype()),
      tokens_(device, {max_tokens, max_sequences, 1}),
      arena_(device, measure_arena()),
      context_(device, arena_) {}

int64_t TaskPredictor::measure_arena() {
  Arena measure;
  Context context(device_, measure);
  const bert::EncoderInputs inputs = tokens_.largest(false).encoder;
  const Tensor logits =
      context.make(model_.logits_shape(inputs.tokens(), inputs.sequences()), DType::kF32);
  model_.predict(context, inputs, out(logits));
  return measure.peak_bytes();
}

const std::vector<float>& TaskPredictor::predict(const RaggedBatch& batch) {
  const Context::Scope scope(context_);
  const bert::EncoderInputs inputs = tokens_.upload_tokens(batch);
  const Tensor logits =
      context_.make(model_.logits_shape(inputs.tokens(), inputs.sequences()), DType::kF32);
  device_.run({.name = "prediction",
               .bucket = inputs.tokens(),
               .dtype = compute_,
               .sequences = inputs.sequences()},
              [&] { model_.predict(context_, inputs, out(logits)); });
  logits_.resize(static_cast<size_t>(logits.size()));
  device_.read(logits, logits_.data());
  return logits_;
}

void predict_batches(TaskPredictor& predictor, const BatchedPrediction& prediction,
                     comm::Communicator& world) {
  const int64_t ranks = world.ranks();
  std::vector<RaggedBatch> round(static_cast<size_t>(ranks));
  std::vector<float> all;
  std::vector<int64_t> bounds(round.size() + 1);
  for (int64_t begin = 0; begin < prediction.batches; begin += ranks) {
    const int64_t count = std::min(ranks, prediction.batches - begin);
    for (size_t i = 0; i < round.size(); ++i) {
      round[i].clear();
      if (static_cast<int64_t>(i) < count) {
        prediction.fill(begin + static_cast<int64_t>(i), round[i]);
      }
      bounds[i + 1] = bounds[i] + predictor.logits_of(round[i]);
    }
    std::span<const float> mine;
    if (world.rank() < count) {
      const RaggedBatch& batch = round[static_cast<size_t>(world.rank())];
      // The device may have rounded the batch up; what is past its end is nobody's.
      mine = std::span<const float>(predictor.predict(batch))
                 .first(static_cast<size_t>(predictor.logits_of(batch)));
    }
    all.resize(world.leads() ? static_cast<size_t>(bounds.back()) : 0);
    world.gather(mine, all, bounds, comm::Stage::kMetrics);
    for (int64_t i = 0; i < count && world.leads(); ++i) {
      const auto at = static_cast<size_t>(i);
      prediction.use(
          begin + i, round[at],
          std::span<const float>(all).subspan(static_cast<size_t>(bounds[at]),
                                              static_cast<size_t>(bounds[at + 1] - bounds[at])));
    }
  }
}

std::vector<int64_t> epoch_order(int64_t count, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  PhiloxStream random(seed, kOrderStream + static_cast<uint64_t>(epoch));
  for (int64_t i = count - 1; i > 0; --i) {
    std::swap(order[static_cast<size_t>(i)], order[random.below(static_cast<uint64_t>(i) + 1)]);
  }
  return order;
}

}  // namespace bertha::train
