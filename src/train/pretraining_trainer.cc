#include "train/pretraining_trainer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "comm/buckets.h"
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
                                       const TrainerSettings& settings, comm::Communicator& world)
    : device_(device),
      parameters_(parameters),
      settings_(settings),
      world_(world),
      batch_(device, settings.limits),
      partition_(optim::partition(parameters.table().spans(), parameters.table().flat_size(),
                                  settings.partitions_state ? world.ranks() : 1,
                                  settings.partitions_state ? world.rank() : 0)),
      first_(device.allocate(std::max<int64_t>(partition_.size, 1) * size_of(DType::kF32))),
      second_(device.allocate(std::max<int64_t>(partition_.size, 1) * size_of(DType::kF32))),
      squares_(
          device.allocate(2 * (ops::norm_blocks(partition_.spans) + 1) * size_of(DType::kF64))),
      ratios_(device.allocate((std::ssize(partition_.spans) + 1) * size_of(DType::kF32))),
      scalars_(device.allocate(kSlots * kAlignmentBytes)),
      pending_(device.allocate(settings.accumulation * 4 * size_of(DType::kF32))),
      arena_(device, measure_arena(config)),
      context_(device, arena_),
      model_(config, parameters) {
  if (settings.sums.fixed_order) {
    tree_.emplace(device, parameters.table().flat_size(), settings.accumulation);
  }
  unsummed_ = parameters.table().flat_size();
}

int64_t PretrainingTrainer::measure_arena(const bert::Config& config) const {
  Arena measure;
  Context context(device_, measure);
  bert::PretrainingModel model(config, parameters_);
  const Tensor result(nullptr, 0, DType::kF32, {2});
  model.train(context, batch_.largest(true), settings_.recompute, {result, result});
  model.evaluate(context, batch_.largest(false), {result, result});
  ops::global_norm(context, parameters_.flat_weights(), out(slot_view(scalars_, kNorm, 1)));
  optimizer_pass(context, slot_view(scalars_, kScalars, ops::kStepScalars));
  return measure.peak_bytes();
}

ops::OptimizerBuffers PretrainingTrainer::own_buffers() const {
  const int64_t size = partition_.size;
  const Tensor shadow = parameters_.flat_shadow();
  return {.weights = parameters_.flat_weights().rows(partition_.begin, size),
          .gradients = parameters_.flat_gradients().rows(partition_.begin, size),
          .first = Tensor(&first_, 0, DType::kF32, {size}),
          .second = Tensor(&second_, 0, DType::kF32, {size}),
          .shadow = shadow.empty() ? shadow : shadow.rows(partition_.begin, size)};
}

void PretrainingTrainer::optimizer_pass(Context& context, const Tensor& scalars) const {
  const auto pass = settings_.optimizer == OptimizerKind::kLamb ? ops::lamb : ops::adamw;
  pass(context, own_buffers(), partition_.spans, settings_.adam, scalars);
}

Tensor PretrainingTrainer::pending_view(size_t index, int64_t which) const {
  const int64_t element = (static_cast<int64_t>(index) * 2 + which) * 2;
  return Tensor(&pending_, element * size_of(DType::kF32), DType::kF32, {2});
}

void PretrainingTrainer::read_pending() {
  if (pending_counts_.empty()) return;
  std::vector<float>& values = pending_values_;
  values.resize(pending_counts_.size() * 4);
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
  const double share = 1 / static_cast<double>(settings_.accumulation * world_.ranks());
  const size_t masked = std::max<size_t>(batch.masked_rows.size(), 1);
  const bert::DeviceBatch::Scales scales = {
      .masked = static_cast<float>(share / static_cast<double>(masked)),
      .next_sentence = static_cast<float>(share / static_cast<double>(batch.sequences()))};
  const bert::PretrainingInputs inputs = batch_.upload(batch, scales, settings_.seed, draw);
  const bert::PretrainingResults results = {slot_view(scalars_, kMasked, 2),
                                            slot_view(scalars_, kNextSentence, 2)};
  const bool overlaps = ++micro_batches_ == settings_.accumulation && world_.ranks() > 1 &&
                        !settings_.partitions_state;
  bert::GradientsFinal on_final;
  if (overlaps) on_final = [this](int64_t from) { gradients_final(from); };
  device_.run(segment(overlaps ? "last micro-batch" : "micro-batch", inputs),
              [&] { model_.train(context_, inputs, settings_.recompute, results, on_final); });
  // A card that replays its segment begins the sums recorded in it.
  if (overlaps) unsummed_ = 0;
  queue_results(batch);
  if (tree_ && !overlaps) tree_->fold(device_, inout(parameters_.flat_gradients()));
  if (tree_ && overlaps) tree_->reset();
}

/// Puts what is final under way, in buckets; a rest waits for the next layer.
void PretrainingTrainer::gradients_final(int64_t from) {
  const auto begin = [this](int64_t offset, int64_t count) {
    const InOut piece(parameters_.flat_gradients().rows(offset, count));
    if (tree_) tree_->fold_last(piece, offset);
    world_.all_reduce_async(piece, settings_.sums);
  };
  unsummed_ = comm::cut_buckets(unsummed_, from, world_.bucket_elements(settings_.sums), begin);
  world_.progress_all_reduces();
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
  const Tensor norm = slot_view(scalars_, kNorm, 1);
  const ops::OptimizerBuffers own = own_buffers();
  double broken = 0;
  for (const Tensor& values : {parameters_.flat_weights(), own.first, own.second}) {
    // NOLINTNEXTLINE(readability-container-size-empty): of no elements, absent or not
    if (values.size() == 0) continue;
    ops::global_norm(context_, values, out(norm));
    float value = 0;
    device_.read(norm, &value);
    if (!std::isfinite(value)) broken = 1;
  }
  if (partitions_state()) world_.all_reduce({&broken, 1}, comm::Stage::kSave);
  return broken == 0;
}

/// From the squares of each block, summed in the order of the flat buffer whoever has them.
double PretrainingTrainer::gradient_norm() {
  const int64_t blocks = ops::norm_blocks(partition_.spans);
  const Tensor squares(&squares_, 0, DType::kF64, {blocks});
  device_.run({"gradient norm", 0, settings_.compute}, [&] {
    ops::square_blocks(context_, own_buffers().gradients, partition_.spans, out(squares));
  });
  block_squares_.resize(static_cast<size_t>(partition_.block_bounds.back()));
  const auto rank = static_cast<size_t>(partitions_state() ? world_.rank() : 0);
  device_.read(squares, block_squares_.data() + partition_.block_bounds[rank]);
  if (partitions_state()) {
    world_.all_gather(block_squares_, partition_.block_bounds, comm::Stage::kGradients);
  }
  double sum = 0;
  for (const double square : block_squares_) sum += square;
  return double{static_cast<float>(std::sqrt(sum))};
}

UpdateResult PretrainingTrainer::update(double rate, int64_t step) {
  UpdateResult result{.gradient_norm = gradient_norm()};
  bool finite = std::isfinite(result.gradient_norm) && !remote_nonfinite_;
  remote_nonfinite_ = false;
  for (const LossSums& sums : losses()) {
    finite = finite && std::isfinite(sums.masked) && std::isfinite(sums.next_sentence);
  }
  losses_.clear();
  result.skipped = !finite;
  if (!result.skipped) {
    const std::array<float, ops::kStepScalars> scalars =
        optim::step_scalars(settings_.adam, {.step = step,
                                             .rate = rate,
                                             .gradient_norm = result.gradient_norm,
                                             .max_norm = settings_.max_gradient_norm});
    const Tensor device_scalars = slot_view(scalars_, kScalars, ops::kStepScalars);
    device_.write(out(device_scalars), scalars.data());
    take_step(device_scalars);
    device_.parameters_changed();
  }
  device_.zero(out(parameters_.flat_gradients()));
  micro_batches_ = 0;
  unsummed_ = parameters_.table().flat_size();
  return result;
}

void PretrainingTrainer::take_step(const Tensor& scalars) {
  if (partitions_state()) return take_shared_step(scalars);
  device_.run({"update", 0, settings_.compute}, [&] { optimizer_pass(context_, scalars); });
}

/// Each rank its share, then all weights to all; where products take bf16, it is rounded anew.
void PretrainingTrainer::take_shared_step(const Tensor& scalars) {
  if (settings_.optimizer == OptimizerKind::kLamb) {
    apply_lamb(scalars);
  } else if (!partition_.spans.empty()) {
    device_.run({"update", 0, settings_.compute}, [&] { optimizer_pass(context_, scalars); });
  }
  device_.synchronize();
  world_.all_gather(inout(parameters_.flat_weights()), partition_.bounds, comm::Stage::kWeights);
  const Tensor shadow = parameters_.flat_shadow();
  if (shadow.empty()) return;
  device_.run({"shadow", 0, settings_.compute},
              [&] { ops::convert(context_, parameters_.flat_weights(), out(shadow)); });
}

/// A parameter may lie in the shares of several ranks: its norms are summed from all their blocks.
void PretrainingTrainer::apply_lamb(const Tensor& scalars) {
  const int64_t blocks = ops::norm_blocks(partition_.spans);
  const Tensor squares(&squares_, 0, DType::kF64, {blocks, 2});
  std::vector<double> all(2 * block_squares_.size());
  std::vector<int64_t> bounds = partition_.block_bounds;
  for (int64_t& bound : bounds) bound *= 2;
  if (blocks > 0) {
    device_.run({"moments", 0, settings_.compute}, [&] {
      ops::lamb_update(context_, own_buffers(), partition_.spans, settings_.adam, scalars,
                       out(squares));
    });
    device_.read(squares, all.data() + bounds[static_cast<size_t>(world_.rank())]);
  }
  world_.all_gather(all, bounds, comm::Stage::kWeights);
  if (blocks == 0) return;
  std::vector<float> ratios;
  for (size_t s = 0; s < partition_.spans.size(); ++s) {
    const auto [first, count] = partition_.whole[s];
    const std::span of_parameter(all.data() + 2 * first, static_cast<size_t>(2 * count));
    ratios.push_back(ops::trust_ratio(partition_.spans[s].decay, settings_.adam, of_parameter));
  }
  const Tensor device_ratios(&ratios_, 0, DType::kF32, {std::ssize(ratios)});
  device_.write(out(device_ratios), ratios.data());
  device_.run({"update", 0, settings_.compute}, [&] {
    ops::lamb_apply(context_, own_buffers(), partition_.spans, scalars, device_ratios);
  });
}

void PretrainingTrainer::all_reduce_gradients() {
  if (world_.ranks() == 1) return;
  device_.synchronize();
  const InOut gradients(parameters_.flat_gradients());
  if (partitions_state()) {
    world_.reduce_scatter(gradients, partition_.bounds, settings_.sums);
  } else if (unsummed_ == 0) {
    world_.wait_all_reduces();
  } else {
    world_.all_reduce(gradients, settings_.sums);
  }
}

Tensor PretrainingTrainer::moment(const Buffer& buffer, int index) const {
  const bert::Parameter& parameter = parameters_.table()[index];
  return Tensor(&buffer, parameter.offset * size_of(DType::kF32), DType::kF32, parameter.shape);
}

void PretrainingTrainer::read_moments(int index, float* first, float* second) const {
  if (!partitions_state()) {
    if (first != nullptr) device_.read(moment(first_, index), first);
    if (second != nullptr) device_.read(moment(second_, index), second);
    return;
  }
  const bert::Parameter& parameter = parameters_.table()[index];
  BERTHA_CHECK(!collected_first_.empty(), "the moments are shared out");
  const auto copy = [&parameter](const std::vector<float>& from, float* to) {
    if (to != nullptr) std::copy_n(from.begin() + parameter.offset, parameter.size(), to);
  };
  copy(collected_first_, first);
  copy(collected_second_, second);
}

void PretrainingTrainer::write_moments(int index, const float* first, const float* second) {
  if (!partitions_state()) {
    device_.write(out(moment(first_, index)), first);
    device_.write(out(moment(second_, index)), second);
    return;
  }
  const bert::Parameter& parameter = parameters_.table()[index];
  const auto size = static_cast<size_t>(parameters_.table().flat_size());
  collected_first_.resize(size);
  collected_second_.resize(size);
  std::copy_n(first, parameter.size(), collected_first_.begin() + parameter.offset);
  std::copy_n(second, parameter.size(), collected_second_.begin() + parameter.offset);
}

void PretrainingTrainer::gather_moments() {
  if (!partitions_state()) return;
  const ops::OptimizerBuffers own = own_buffers();
  std::vector<float> mine(static_cast<size_t>(partition_.size));
  for (const auto& [from, to] :
       {std::pair(own.first, &collected_first_), std::pair(own.second, &collected_second_)}) {
    if (world_.leads()) to->resize(static_cast<size_t>(parameters_.table().flat_size()));
    if (!mine.empty()) device_.read(from, mine.data());
    world_.gather(mine, *to, partition_.bounds, comm::Stage::kSave);
  }
}

void PretrainingTrainer::drop_gathered_moments() {
  collected_first_ = {};
  collected_second_ = {};
}

void PretrainingTrainer::broadcast_moments() {
  if (world_.ranks() == 1) return;
  if (!partitions_state()) {
    const Shape shape = {parameters_.table().flat_size()};
    for (const Buffer* buffer : {&first_, &second_}) {
      const Tensor values(buffer, 0, DType::kF32, shape);
      world_.broadcast_tensor(device_, inout(values), comm::Stage::kWeights);
    }
    return;
  }
  spread_shares(first_, collected_first_);
  spread_shares(second_, collected_second_);
  drop_gathered_moments();
}

/// Everyone hears everything, a chunk at a time, and keeps its own.
void PretrainingTrainer::spread_shares(const Buffer& buffer, std::vector<float>& whole) {
  constexpr int64_t kChunk = int64_t{4} << 20;
  const int64_t size = parameters_.table().flat_size();
  if (world_.leads()) whole.resize(static_cast<size_t>(size));
  std::vector<float> chunk;
  for (int64_t begin = 0; begin < size; begin += kChunk) {
    const int64_t end = std::min(begin + kChunk, size);
    chunk.resize(static_cast<size_t>(end - begin));
    if (world_.leads()) std::copy_n(whole.begin() + begin, end - begin, chunk.begin());
    world_.broadcast(std::as_writable_bytes(std::span(chunk)), comm::Stage::kWeights);
    const int64_t from = std::max(begin, partition_.begin);
    const int64_t to = std::min(end, partition_.begin + partition_.size);
    if (from >= to) continue;
    const Tensor own(&buffer, (from - partition_.begin) * size_of(DType::kF32), DType::kF32,
                     {to - from});
    device_.write(out(own), chunk.data() + (from - begin));
  }
}

}  // namespace bertha::train
