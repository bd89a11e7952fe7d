#include "train/fine_tuning.h"

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
                                     bert::TaskModel& model, const FineTuningSettings& settings)
    : device_(device),
      parameters_(parameters),
      model_(model),
      settings_(settings),
      tokens_(device, {settings.max_tokens, settings.max_sequences, 1}),
      spans_(trained_spans(parameters.table(), settings.train_pooler)),
      labels_(device.allocate(settings.max_sequences * model.labels_per_sequence() *
                              size_of(DType::kI32))),
      first_(device.allocate(parameters.table().flat_size() * size_of(DType::kF32))),
      second_(device.allocate(parameters.table().flat_size() * size_of(DType::kF32))),
      scalars_(device.allocate(kSlots * kAlignmentBytes)),
      arena_(device, measure_arena()),
      context_(device, arena_) {}

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

bert::TaskInputs FineTuningTrainer::upload(const TaskBatch& batch, uint32_t draw) {
  const int64_t labels = std::ssize(batch.labels);
  BERTHA_CHECK(labels == batch.sequences() * model_.labels_per_sequence());
  bert::TaskInputs inputs;
  inputs.encoder = tokens_.upload_tokens(batch);
  inputs.labels =
      Tensor(&labels_, 0, DType::kI32, {batch.sequences(), model_.labels_per_sequence()});
  device_.write(out(inputs.labels), batch.labels.data());
  inputs.scale = slot(kScale, 1);
  const auto scale = static_cast<float>(1 / static_cast<double>(labels * settings_.accumulation));
  device_.write(out(inputs.scale), &scale);
  if (settings_.dropout) {
    inputs.encoder.dropout_seed = Tensor(&scalars_, kSeed * kAlignmentBytes, DType::kI64, {2});
    const std::array<int64_t, 2> seed = {static_cast<int64_t>(settings_.seed), int64_t{draw}};
    device_.write(out(inputs.encoder.dropout_seed), seed.data());
  }
  return inputs;
}

TaskLoss FineTuningTrainer::micro_batch(const TaskBatch& batch, uint32_t draw) {
  const bert::TaskInputs inputs = upload(batch, draw);
  const Tensor result = slot(kResult, 2);
  device_.run({.name = "fine-tuning micro-batch",
               .bucket = inputs.encoder.tokens(),
               .dtype = settings_.compute,
               .sequences = batch.sequences()},
              [&] { model_.train(context_, inputs, settings_.recompute, out(result)); });
  clip();
  // One wait a micro-batch: all of it is queued by now.
  std::array<float, 2> values{};
  float norm = 0;
  device_.read(result, values.data());
  device_.read(slot(kNorm, 1), &norm);
  finite_ = finite_ && std::isfinite(values[0]) && std::isfinite(norm);
  return {.mean = double{values[0]} / static_cast<double>(batch.labels.size()),
          .right = std::lround(values[1])};
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
  const Shape shape = {parameters_.table().flat_size()};
  ops::adamw(context,
             {.weights = parameters_.flat_weights(),
              .gradients = parameters_.flat_gradients(),
              .first = Tensor(&first_, 0, DType::kF32, shape),
              .second = Tensor(&second_, 0, DType::kF32, shape),
              .shadow = parameters_.flat_shadow()},
             spans_, settings_.adam, slot(kScalars, ops::kStepScalars));
}

bool FineTuningTrainer::update(double rate) {
  const bool finite = finite_;
  finite_ = true;
  if (finite) {
    const std::array<float, ops::kStepScalars> scalars = optim::step_scalars(
        settings_.adam, {.rate = rate, .max_norm = 0, .bias_correction = false});
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
