#include "train/fine_tuning.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/philox.h"

namespace bertha::train {
namespace {

enum Slot : int64_t { kResult, kScale, kSeed, kSlots };

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
      tokens_(device, {.tokens = settings.max_tokens,
                       .sequences = settings.max_sequences,
                       .masked = 1,
                       .token_types = parameters.table().has_token_types(),
                       .fills_sequences = model.label_type() == DType::kI32}),
      optimizer_(parameters, trained_spans(parameters.table(), settings.train_pooler),
                 settings.optimizer, world),
      reducer_(device, parameters.flat_gradients(), settings.parts, settings.sums, world),
      labels_(device.allocate(
          model.labels_shape(tokens_.largest(true).encoder.tokens(), settings.max_sequences)
              .size() *
          size_of(model.label_type()))),
      slots_(device, kSlots),
      pending_(device, settings.accumulation, 2 * settings.parts + 1),
      arena_(device, arena_size()),
      context_(device, arena_) {}

int64_t FineTuningTrainer::arena_size() {
  return measure_arena(device_, [&](Context& context) {
    bert::TaskInputs inputs;
    inputs.encoder = tokens_.largest(true).encoder;
    inputs.labels = Tensor(&labels_, 0, model_.label_type(),
                           model_.labels_shape(inputs.encoder.tokens(), settings_.max_sequences));
    inputs.scale = slots_.view(kScale, 1);
    model_.train(context, inputs, settings_.recompute, out(slots_.view(kResult, 2)));
    optimizer_.dry_run(context);
  });
}

/// Labels of tokens and sequences that fill the batch up are -1.
Tensor FineTuningTrainer::upload_labels(const TaskBatch& batch, const bert::EncoderInputs& on) {
  const bool numbers = model_.label_type() == DType::kF32;
  const int64_t given = numbers ? std::ssize(batch.targets) : std::ssize(batch.labels);
  BERTHA_CHECK(given == model_.labels_shape(batch.tokens(), batch.sequences()).size());
  const Tensor labels(&labels_, 0, model_.label_type(),
                      model_.labels_shape(on.tokens(), on.sequences()));
  if (numbers) {
    device_.write(out(labels), batch.targets.data());
  } else {
    padded_labels_ = batch.labels;
    padded_labels_.resize(static_cast<size_t>(labels.size()), -1);
    device_.write(out(labels), padded_labels_.data());
  }
  return labels;
}

bert::TaskInputs FineTuningTrainer::upload(const TaskBatch& batch, int64_t labels, uint32_t draw) {
  bert::TaskInputs inputs;
  inputs.encoder = tokens_.upload_tokens(batch);
  inputs.labels = upload_labels(batch, inputs.encoder);
  inputs.scale = slots_.view(kScale, 1);
  const auto scale = static_cast<float>(1 / static_cast<double>(labels * settings_.accumulation));
  device_.write(out(inputs.scale), &scale);
  if (settings_.dropout) {
    inputs.encoder.dropout_seed = slots_.view(kSeed, 2, DType::kI64);
    const std::array<int64_t, 2> seed = {static_cast<int64_t>(settings_.seed), int64_t{draw}};
    device_.write(out(inputs.encoder.dropout_seed), seed.data());
  }
  return inputs;
}

/// After an earlier micro-batch of the same update every rank holds the sum over ranks. Rank 0
/// alone keeps it, so that the next sum counts it once.
void FineTuningTrainer::begin_micro_batch() {
  if (pending_.full()) read_pending();
  if (holds_sum_ && !world_.leads()) device_.zero(out(parameters_.flat_gradients()));
}

void FineTuningTrainer::part(const TaskBatch& batch, int64_t labels, uint32_t draw) {
  if (parts_done_ == 0) begin_micro_batch();
  BERTHA_CHECK(parts_done_ < settings_.parts && labels > 0);
  const Tensor result = slots_.view(kResult, 2);
  if (batch.sequences() > 0) {
    const bert::TaskInputs inputs = upload(batch, labels, draw);
    device_.run({.name = "fine-tuning micro-batch",
                 .bucket = inputs.encoder.tokens(),
                 .dtype = settings_.compute,
                 .sequences = inputs.encoder.sequences()},
                [&] { model_.train(context_, inputs, settings_.recompute, out(result)); });
  } else {
    device_.zero(out(result));
  }
  pending_.add(result, 2 * parts_done_++);
  reducer_.fold();
  labels_in_micro_batch_ = labels;
}

void FineTuningTrainer::end_micro_batch() {
  BERTHA_CHECK(parts_done_ == settings_.parts);
  parts_done_ = 0;
  reducer_.reduce();
  holds_sum_ = world_.ranks() > 1;
  pending_.add(optimizer_.clip_gradients(context_), 2 * settings_.parts);
  pending_.end_row();
  pending_labels_.push_back(labels_in_micro_batch_);
}

void FineTuningTrainer::check_finite(double value) {
  if (!std::isfinite(value)) optimizer_.mark_not_finite();
}

void FineTuningTrainer::read_pending() {
  const auto width = static_cast<size_t>(2 * settings_.parts + 1);
  const std::span<const float> values = pending_.take();
  for (size_t i = 0; i < pending_labels_.size(); ++i) {
    double loss = 0;
    double right = 0;
    const auto row = values.subspan(i * width, width);
    for (size_t part = 0; part + 1 < width; part += 2) {
      loss += double{row[part]};
      right += double{row[part + 1]};
    }
    check_finite(double{row.back()});
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
    check_finite(all[i + 1]);
    result.push_back({.mean = all[i + 1] / sums_[i], .right = std::llround(all[i + 2])});
  }
  sums_.clear();
  return result;
}

bool FineTuningTrainer::update(double rate, int64_t number) {
  BERTHA_CHECK(pending_labels_.empty() && sums_.empty());
  holds_sum_ = false;
  return !optimizer_.update(context_, rate, number).skipped;
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
