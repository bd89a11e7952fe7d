#include "train/pretraining_trainer.h"

#include <cmath>

#include "ops/copy.h"

namespace bertha::train {
namespace {

enum Slot : int64_t { kMasked, kNextSentence, kSlots };

constexpr int64_t kResults = 4;  // of a micro-batch: two of each slot

/// ZeRO-1 leaves each rank with the sum of its partition alone.
std::vector<int64_t> scatter_bounds(const optim::Optimizer& optimizer) {
  return optimizer.partitioned() ? optimizer.partition_bounds() : std::vector<int64_t>();
}

/// A step of one micro-batch overwrites the gradients that nothing was added to. A fixed order adds
/// micro-batches in a buffer of its own.
bool overwrites(const TrainerSettings& settings) {
  return settings.accumulation == 1 && !settings.sums.fixed_order;
}

optim::OptimizerSettings optimizer_settings(const TrainerSettings& settings) {
  optim::OptimizerSettings optimizer = settings.optimizer;
  optimizer.products_overwrite = overwrites(settings);
  return optimizer;
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
      optimizer_(parameters, parameters.table().spans(), optimizer_settings(settings), world),
      reducer_(device, parameters.flat_gradients(), settings.accumulation, settings.sums, world,
               scatter_bounds(optimizer_)),
      slots_(device, kSlots),
      pending_(device, settings.accumulation, kResults),
      fp8_states_(parameters.fp8_operands() == 0
                      ? Buffer()
                      : device.allocate(parameters.flat_fp8_states().size_bytes())),
      arena_(device, arena_size(config)),
      context_(device, arena_),
      model_(config, parameters) {}

int64_t PretrainingTrainer::arena_size(const bert::Config& config) const {
  return measure_arena(device_, [&](Context& context) {
    bert::PretrainingModel model(config, parameters_);
    model.train(context, batch_.largest(true), settings_.recompute, results());
    model.evaluate(context, batch_.largest(false), results());
    optimizer_.dry_run(context);
  });
}

bert::PretrainingResults PretrainingTrainer::results() const {
  return {slots_.view(kMasked, 2), slots_.view(kNextSentence, 2)};
}

void PretrainingTrainer::read_pending() {
  const std::span<const float> values = pending_.take();
  for (size_t i = 0; i < pending_counts_.size(); ++i) {
    const auto row = values.subspan(i * kResults, kResults);
    LossSums sums = pending_counts_[i];
    sums.masked = double{row[0]};
    sums.masked_right = std::lround(row[1]);
    sums.next_sentence = double{row[2]};
    sums.next_sentence_right = std::lround(row[3]);
    losses_.push_back(sums);
  }
  pending_counts_.clear();
}

const std::vector<LossSums>& PretrainingTrainer::losses() {
  read_pending();
  return losses_;
}

void PretrainingTrainer::queue_results(const PretrainingBatch& batch) {
  if (pending_.full()) read_pending();
  pending_.add(slots_.view(kMasked, 2), 0);
  pending_.add(slots_.view(kNextSentence, 2), 2);
  pending_.end_row();
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

void PretrainingTrainer::copy_fp8_states(const Tensor& from, const Tensor& to) {
  device_.run({.name = "fp8 states", .bucket = 0, .dtype = DType::kF32},
              [&] { ops::copy(context_, {.from = from, .to = out(to)}); });
}

void PretrainingTrainer::drop_micro_batches() {
  const Tensor states = parameters_.flat_fp8_states();
  if (states.empty() || micro_batches_ == 0) return;
  copy_fp8_states(Tensor(&fp8_states_, 0, DType::kF32, states.shape()), states);
}

void PretrainingTrainer::micro_batch(const PretrainingBatch& batch, uint32_t draw) {
  const double share = 1 / static_cast<double>(settings_.accumulation * world_.ranks());
  const size_t masked = std::max<size_t>(batch.masked_rows.size(), 1);
  const bert::DeviceBatch::Scales scales = {
      .masked = static_cast<float>(share / static_cast<double>(masked)),
      .next_sentence = static_cast<float>(share / static_cast<double>(batch.sequences()))};
  const bert::PretrainingInputs inputs = batch_.upload(batch, scales, settings_.seed, draw);
  const Tensor states = parameters_.flat_fp8_states();
  if (!states.empty() && micro_batches_ == 0) {
    copy_fp8_states(states, Tensor(&fp8_states_, 0, DType::kF32, states.shape()));
  }
  const bool sets = micro_batches_ == 0 && overwrites(settings_);
  const bool overlaps = ++micro_batches_ == settings_.accumulation && reducer_.overlaps();
  bert::GradientRules rules;
  if (sets) rules.product_weights = ops::Write::kSet;
  if (overlaps) rules.on_final = [this](int64_t from) { reducer_.gradients_final(from); };
  const std::string_view name = overlaps ? (sets ? "only micro-batch" : "last micro-batch")
                                         : (sets ? "first micro-batch" : "micro-batch");
  device_.run(segment(name, inputs),
              [&] { model_.train(context_, inputs, settings_.recompute, results(), rules); });
  if (overlaps) {
    reducer_.end_overlap();
  } else {
    reducer_.fold();
  }
  queue_results(batch);
}

LossSums PretrainingTrainer::evaluate(const PretrainingBatch& batch) {
  const bert::PretrainingInputs inputs = batch_.upload_for_evaluation(batch);
  read_pending();
  device_.run(segment("evaluation", inputs), [&] { model_.evaluate(context_, inputs, results()); });
  queue_results(batch);
  read_pending();
  const LossSums sums = losses_.back();
  losses_.pop_back();
  return sums;
}

optim::UpdateResult PretrainingTrainer::update(double rate, int64_t step) {
  for (const LossSums& sums : losses()) {
    const bool finite = std::isfinite(sums.masked) && std::isfinite(sums.next_sentence);
    if (!finite) optimizer_.mark_not_finite();
  }
  losses_.clear();
  micro_batches_ = 0;
  return optimizer_.update(context_, rate, step);
}

}  // namespace bertha::train
