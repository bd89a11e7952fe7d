#include "train/pretraining_trainer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "optim/step_scalars.h"

namespace bertha::train {
namespace {

// Slots of the scalar buffer, in units of kAlignmentBytes.
enum Slot : int64_t { kScalars, kNorm, kMasked, kNextSentence, kSlots };

Tensor slot_view(const Buffer& buffer, Slot slot, int64_t count) {
  return Tensor(&buffer, slot * kAlignmentBytes, DType::kF32, {count});
}

}  // namespace

LossSums& LossSums::operator+=(const LossSums& other) {
  masked += other.masked;
  next_sentence += other.next_sentence;
  masked_count += other.masked_count;
  sequence_count += other.sequence_count;
  masked_right += other.masked_right;
  next_sentence_right += other.next_sentence_right;
  return *this;
}

PretrainingTrainer::PretrainingTrainer(Device& device, const bert::Config& config,
                                       bert::ParameterStore& parameters,
                                       const TrainerSettings& settings)
    : device_(device),
      parameters_(parameters),
      settings_(settings),
      batch_(device, settings.limits),
      spans_(parameters.table().spans()),
      first_(device.allocate(parameters.table().flat_size() * size_of(DType::kF32))),
      second_(device.allocate(parameters.table().flat_size() * size_of(DType::kF32))),
      scalars_(device.allocate(kSlots * kAlignmentBytes)),
      pending_(device.allocate(settings.accumulation * 4 * size_of(DType::kF32))),
      arena_(device, measure_arena(config)),
      context_(device, arena_),
      model_(config, parameters) {
  if (settings.fixed_order) {
    tree_.emplace(device, parameters.table().flat_size(), settings.accumulation);
  }
}

int64_t PretrainingTrainer::measure_arena(const bert::Config& config) const {
  Arena measure;
  Context context(device_, measure);
  bert::PretrainingModel model(config, parameters_);
  const Tensor result(nullptr, 0, DType::kF32, {2});
  model.train(context, batch_.largest(true), settings_.recompute, {result, result});
  model.evaluate(context, batch_.largest(false), {result, result});
  ops::global_norm(context, parameters_.flat_gradients(), out(slot_view(scalars_, kNorm, 1)));
  optimizer_pass(context, slot_view(scalars_, kScalars, ops::kStepScalars));
  return measure.peak_bytes();
}

void PretrainingTrainer::optimizer_pass(Context& context, const Tensor& scalars) const {
  const Shape shape = {parameters_.table().flat_size()};
  const ops::OptimizerBuffers buffers = {.weights = parameters_.flat_weights(),
                                         .gradients = parameters_.flat_gradients(),
                                         .first = Tensor(&first_, 0, DType::kF32, shape),
                                         .second = Tensor(&second_, 0, DType::kF32, shape),
                                         .shadow = parameters_.flat_shadow()};
  const auto pass = settings_.optimizer == OptimizerKind::kLamb ? ops::lamb : ops::adamw;
  pass(context, buffers, spans_, settings_.adam, scalars);
}

Tensor PretrainingTrainer::pending_view(size_t index, int64_t which) const {
  const int64_t element = (static_cast<int64_t>(index) * 2 + which) * 2;
  return Tensor(&pending_, element * size_of(DType::kF32), DType::kF32, {2});
}

void PretrainingTrainer::read_pending() {
  if (pending_counts_.empty()) return;
  std::vector<float> values(pending_counts_.size() * 4);
  device_.read(Tensor(&pending_, 0, DType::kF32, {std::ssize(values)}), values.data());
  for (size_t i = 0; i < pending_counts_.size(); ++i) {
    LossSums sums = pending_counts_[i];
    sums.masked = double{values[4 * i]};
    sums.masked_right = std::lround(values[4 * i + 1]);
    sums.next_sentence = double{values[4 * i + 2]};
    sums.next_sentence_right = std::lround(values[4 * i + 3]);
    losses_.push_back(sums);
  }
  pending_counts_.clear();
}

const std::vector<LossSums>& PretrainingTrainer::losses() {
  read_pending();
  return losses_;
}

void PretrainingTrainer::queue_results(const PretrainingBatch& batch) {
  // The segment always writes the same place, so that it can be replayed; from there results are
  // set aside.
  if (std::ssize(pending_counts_) == settings_.accumulation) read_pending();
  const size_t index = pending_counts_.size();
  device_.copy(slot_view(scalars_, kMasked, 2), out(pending_view(index, 0)));
  device_.copy(slot_view(scalars_, kNextSentence, 2), out(pending_view(index, 1)));
  LossSums counts;
  counts.masked_count = std::ssize(batch.masked_rows);
  counts.sequence_count = batch.sequences();
  pending_counts_.push_back(counts);
}

Segment PretrainingTrainer::segment(std::string_view name,
                                    const bert::PretrainingInputs& inputs) const {
  return {.name = name,
          .bucket = inputs.encoder.tokens(),
          .dtype = settings_.compute,
          .sequences = inputs.encoder.sequences(),
          .rows = inputs.masked_rows.dim(0)};
}

void PretrainingTrainer::micro_batch(const PretrainingBatch& batch, uint32_t draw) {
  const double share = 1 / static_cast<double>(settings_.accumulation * settings_.ranks);
  const size_t masked = std::max<size_t>(batch.masked_rows.size(), 1);
  const DeviceBatch::Scales scales = {
      .masked = static_cast<float>(share / static_cast<double>(masked)),
      .next_sentence = static_cast<float>(share / static_cast<double>(batch.sequences()))};
  const bert::PretrainingInputs inputs = batch_.upload(batch, scales, settings_.seed, draw);
  const bert::PretrainingResults results = {slot_view(scalars_, kMasked, 2),
                                            slot_view(scalars_, kNextSentence, 2)};
  device_.run(segment("micro-batch", inputs),
              [&] { model_.train(context_, inputs, settings_.recompute, results); });
  queue_results(batch);
  if (tree_) tree_->fold(device_, inout(parameters_.flat_gradients()));
}

LossSums PretrainingTrainer::evaluate(const PretrainingBatch& batch) {
  const bert::PretrainingInputs inputs = batch_.upload_for_evaluation(batch);
  const bert::PretrainingResults results = {slot_view(scalars_, kMasked, 2),
                                            slot_view(scalars_, kNextSentence, 2)};
  read_pending();
  device_.run(segment("evaluation", inputs), [&] { model_.evaluate(context_, inputs, results); });
  queue_results(batch);
  read_pending();
  const LossSums sums = losses_.back();
  losses_.pop_back();
  return sums;
}

bool PretrainingTrainer::state_is_finite() {
  const Shape shape = {parameters_.table().flat_size()};
  const Tensor norm = slot_view(scalars_, kNorm, 1);
  for (const Tensor& values : {parameters_.flat_weights(), Tensor(&first_, 0, DType::kF32, shape),
                               Tensor(&second_, 0, DType::kF32, shape)}) {
    ops::global_norm(context_, values, out(norm));
    float value = 0;
    device_.read(norm, &value);
    if (!std::isfinite(value)) return false;
  }
  return true;
}

UpdateResult PretrainingTrainer::update(double rate, int64_t step) {
  const Tensor norm = slot_view(scalars_, kNorm, 1);
  device_.run({"gradient norm", 0, settings_.compute},
              [&] { ops::global_norm(context_, parameters_.flat_gradients(), out(norm)); });
  float value = 0;
  device_.read(norm, &value);
  bool finite = std::isfinite(value) && !spoilt_elsewhere_;
  spoilt_elsewhere_ = false;
  for (const LossSums& sums : losses()) {
    finite = finite && std::isfinite(sums.masked) && std::isfinite(sums.next_sentence);
  }
  losses_.clear();
  UpdateResult result{.gradient_norm = double{value}, .skipped = !finite};
  if (!result.skipped) {
    const std::array<float, ops::kStepScalars> scalars =
        optim::step_scalars(settings_.adam, {.step = step,
                                             .rate = rate,
                                             .gradient_norm = result.gradient_norm,
                                             .max_norm = settings_.max_gradient_norm});
    const Tensor device_scalars = slot_view(scalars_, kScalars, ops::kStepScalars);
    device_.write(out(device_scalars), scalars.data());
    device_.run({"update", 0, settings_.compute},
                [&] { optimizer_pass(context_, device_scalars); });
    device_.parameters_changed();
  }
  device_.zero(out(parameters_.flat_gradients()));
  return result;
}

void PretrainingTrainer::sum_gradients(comm::Communicator& world, const comm::SumOptions& options) {
  if (world.ranks() == 1) return;
  device_.synchronize();
  world.sum_gradients(inout(parameters_.flat_gradients()), options);
}

Tensor PretrainingTrainer::flat(const Buffer& buffer) const {
  return Tensor(&buffer, 0, DType::kF32, {parameters_.table().flat_size()});
}

Tensor PretrainingTrainer::moment(const Buffer& buffer, int index) const {
  const bert::Parameter& parameter = parameters_.table()[index];
  return Tensor(&buffer, parameter.offset * size_of(DType::kF32), DType::kF32, parameter.shape);
}

void PretrainingTrainer::read_moments(int index, float* first, float* second) const {
  if (first != nullptr) device_.read(moment(first_, index), first);
  if (second != nullptr) device_.read(moment(second_, index), second);
}

void PretrainingTrainer::write_moments(int index, const float* first, const float* second) {
  device_.write(out(moment(first_, index)), first);
  device_.write(out(moment(second_, index)), second);
}

}  // namespace bertha::train
