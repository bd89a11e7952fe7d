#include "infer/predictor.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "core/error.h"

namespace bertha::infer {
namespace {

std::string unique_name(std::string_view name) {
  static std::atomic<int64_t> count{0};
  return fmt::format("{} {}", name, ++count);
}

/// Rows are rounded up to few counts, as tokens are to buckets.
int64_t rounded_rows(int64_t rows) {
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(rows)));
}

/// A view without memory, for a dry run.
Tensor measured(int64_t count) {
  return Tensor(nullptr, 0, DType::kI32, {count});
}

}  // namespace

Predictor::Predictor(Device& device, DType compute, ForwardPass& pass, const BatchSize& limits,
                     bool token_types)
    : device_(device),
      compute_(compute),
      pass_(pass),
      segment_(unique_name(pass.name())),
      batch_(device, {.tokens = limits.tokens,
                      .sequences = limits.sequences,
                      .masked = 1,
                      .token_types = token_types}) {
  if (limits.rows > 0) rows_ = device.allocate(rounded_rows(limits.rows) * size_of(DType::kI32));
}

void Predictor::check_thread() {
  std::thread::id owner;
  const std::thread::id self = std::this_thread::get_id();
  if (owner_.compare_exchange_strong(owner, self)) return;
  BERTHA_CHECK(owner == self,
               "a Predictor runs on the thread of its first run() alone; give each thread a "
               "Predictor of its own");
}

PassInputs Predictor::upload(const RaggedBatch& batch, std::span<const int32_t> rows) {
  PassInputs inputs;
  inputs.encoder = batch_.upload_tokens(batch);
  if (rows.empty()) return inputs;
  staging_.assign(rows.begin(), rows.end());
  staging_.resize(static_cast<size_t>(rounded_rows(std::ssize(rows))), 0);
  inputs.rows = Tensor(&rows_, 0, DType::kI32, {std::ssize(staging_)});
  device_.write(out(inputs.rows), staging_.data());
  return inputs;
}

int64_t Predictor::measure(const BatchSize& size) {
  PassInputs inputs;
  inputs.encoder.ids = {.word = measured(size.tokens),
                        .position = measured(size.tokens),
                        .segment = measured(size.tokens)};
  inputs.encoder.seq_start = measured(size.sequences + 1);
  if (size.rows > 0) inputs.rows = measured(size.rows);
  Arena arena;
  Context context(device_, arena);
  pass_.run(context, inputs, out(Tensor(nullptr, 0, DType::kF32, pass_.result_shape(size))));
  return arena.peak_bytes();
}

void Predictor::reserve(const BatchSize& size) {
  const BatchSize needed = {std::max(size.tokens, reserved_.tokens),
                            std::max(size.sequences, reserved_.sequences),
                            std::max(size.rows, reserved_.rows)};
  const bool enough = needed.tokens == reserved_.tokens &&
                      needed.sequences == reserved_.sequences && needed.rows == reserved_.rows;
  if (enough) return;
  const int64_t bytes = measure(needed);
  if (!arena_ || arena_->capacity_bytes() < bytes) {
    arena_.reset();
    arena_.emplace(device_, std::max(bytes, kAlignmentBytes));
  }
  const int64_t result_bytes = pass_.result_shape(needed).size() * size_of(DType::kF32);
  if (device_result_.size_bytes() < result_bytes) device_result_ = device_.allocate(result_bytes);
  reserved_ = needed;
}

std::span<const float> Predictor::run(const RaggedBatch& batch, std::span<const int32_t> rows) {
  check_thread();
  const PassInputs inputs = upload(batch, rows);
  const BatchSize size = {.tokens = inputs.encoder.tokens(),
                          .sequences = inputs.encoder.sequences(),
                          .rows = inputs.rows.size()};
  reserve(size);
  Context context(device_, *arena_);
  const Context::Scope scope(context);
  const Tensor result(&device_result_, 0, DType::kF32, pass_.result_shape(size));
  device_.run({.name = segment_,
               .bucket = size.tokens,
               .dtype = compute_,
               .sequences = size.sequences,
               .rows = size.rows},
              [&] { pass_.run(context, inputs, out(result)); });
  // What lies past the batch's own part fills the bucket.
  const Shape own = pass_.result_shape({batch.tokens(), batch.sequences(), std::ssize(rows)});
  result_.resize(static_cast<size_t>(own.size()));
  device_.read(result.rows(0, own[0]), result_.data());
  return result_;
}

}  // namespace bertha::infer
