#include "optim/optimizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "ops/convert.h"
#include "ops/zero.h"
#include "optim/step_scalars.h"

namespace bertha::optim {
namespace {

enum Slot : int64_t { kScalars, kNorm, kSlots };

int64_t moment_bytes(const ZeroPartition& partition) {
  return std::max<int64_t>(partition.size, 1) * size_of(DType::kF32);
}

}  // namespace

Optimizer::Optimizer(bert::ParameterStore& parameters, std::vector<ops::ParameterSpan> spans,
                     const OptimizerSettings& settings, comm::Communicator& world)
    : parameters_(parameters),
      device_(parameters.device()),
      world_(world),
      settings_(settings),
      spans_(std::move(spans)),
      partition_(partition(spans_, parameters.table().flat_size(),
                           settings.zero ? world.ranks() : 1, settings.zero ? world.rank() : 0)),
      exp_avg_(device_.allocate(moment_bytes(partition_))),
      exp_avg_sq_(device_.allocate(moment_bytes(partition_))),
      squares_(
          device_.allocate(2 * (ops::norm_blocks(partition_.spans) + 1) * size_of(DType::kF64))),
      ratios_(device_.allocate((std::ssize(partition_.spans) + 1) * size_of(DType::kF32))),
      slots_(device_, kSlots),
      outside_products_(parameters.table().outside_products()) {
  BERTHA_CHECK(!settings_.clip_each || settings_.clipping == GradientClipping::kInPlace);
}

void Optimizer::dry_run(Context& context) const {
  ops::global_norm(context,
                   {.values = parameters_.flat_weights(), .norm = out(slots_.view(kNorm, 1))});
  pass(context);
}

size_t Optimizer::own_rank() const {
  return partitioned() ? static_cast<size_t>(world_.rank()) : 0;
}

Segment Optimizer::segment(std::string_view name) const {
  return {.name = name, .bucket = 0, .dtype = parameters_.compute_dtype()};
}

/// This rank's partition of the flat buffers; all of them without ZeRO-1.
ops::OptimizerBuffers Optimizer::own_buffers() const {
  const int64_t size = partition_.size;
  const Tensor bf16 = parameters_.flat_bf16_weights();
  return {.weights = inout(parameters_.flat_weights().rows(partition_.begin, size)),
          .gradients = inout(parameters_.flat_gradients().rows(partition_.begin, size)),
          .exp_avg = inout(Tensor(&exp_avg_, 0, DType::kF32, {size})),
          .exp_avg_sq = inout(Tensor(&exp_avg_sq_, 0, DType::kF32, {size})),
          .bf16_weights = bf16.empty() ? Out() : out(bf16.rows(partition_.begin, size))};
}

Tensor Optimizer::scalars() const {
  return slots_.view(kScalars, ops::kStepScalars);
}

Tensor Optimizer::clip_gradients(Context& context) {
  BERTHA_CHECK(settings_.clipping == GradientClipping::kInPlace);
  const Tensor norm = slots_.view(kNorm, 1);
  const Tensor gradients = parameters_.flat_gradients();
  device_.run(segment("clip"), [&] {
    ops::global_norm(context, {.values = gradients, .norm = out(norm)});
    if (settings_.max_gradient_norm <= 0) return;
    ops::clip_norm(context, {.gradients = inout(gradients),
                             .norm = norm,
                             .max_norm = static_cast<float>(settings_.max_gradient_norm)});
  });
  return norm;
}

/// Norms are of whole parameters, which may lie in several ranks' partitions.
void Optimizer::clip_each(Context& context) const {
  if (!settings_.clip_each) return;
  ops::clip_norm_each(context, {.gradients = inout(parameters_.flat_gradients()),
                                .spans = spans_,
                                .max_norm = static_cast<float>(settings_.max_gradient_norm)});
}

void Optimizer::pass(Context& context) const {
  clip_each(context);
  if (settings_.kind == OptimizerKind::kLamb) {
    ops::lamb(context, {.buffers = own_buffers(),
                        .spans = partition_.spans,
                        .settings = settings_.adam,
                        .scalars = scalars()});
  } else {
    ops::adamw(context, {.buffers = own_buffers(),
                         .spans = partition_.spans,
                         .settings = settings_.adam,
                         .scalars = scalars()});
  }
}

/// Sums the squares of the blocks of all ranks in the order of the flat buffer, so that ZeRO-1
/// gives the same bits.
double Optimizer::gradient_norm(Context& context) {
  const int64_t blocks = ops::norm_blocks(partition_.spans);
  const Tensor squares(&squares_, 0, DType::kF64, {blocks});
  device_.run(segment("gradient norm"), [&] {
    ops::square_blocks(context, {.values = own_buffers().gradients.tensor(),
                                 .spans = partition_.spans,
                                 .squares = out(squares)});
  });
  block_squares_.resize(static_cast<size_t>(partition_.block_bounds.back()));
  device_.read(squares, block_squares_.data() + partition_.block_bounds[own_rank()]);
  if (partitioned()) {
    world_.all_gather(block_squares_, partition_.block_bounds, comm::Stage::kGradients);
  }
  double sum = 0;
  for (const double square : block_squares_) sum += square;
  return double{static_cast<float>(std::sqrt(sum))};
}

void Optimizer::write_scalars(double rate, int64_t step, double gradient_norm) {
  const bool clips = settings_.clipping == GradientClipping::kInUpdate;
  const std::array<float, ops::kStepScalars> values =
      step_scalars(settings_.adam, {.step = step,
                                    .rate = rate,
                                    .gradient_norm = gradient_norm,
                                    .max_norm = clips ? settings_.max_gradient_norm : 0,
                                    .bias_correction = settings_.bias_correction});
  device_.write(out(scalars()), values.data());
}

UpdateResult Optimizer::update(Context& context, double rate, int64_t step) {
  UpdateResult result;
  if (settings_.clipping == GradientClipping::kInUpdate) {
    result.gradient_norm = gradient_norm(context);
  }
  result.skipped = std::exchange(nonfinite_, false) || !std::isfinite(result.gradient_norm);
  if (!result.skipped) {
    write_scalars(rate, step, result.gradient_norm);
    take_step(context);
    device_.parameters_changed();
  }
  zero_gradients(context);
  return result;
}

void Optimizer::zero_gradients(Context& context) {
  const Tensor gradients = parameters_.flat_gradients();
  if (!settings_.products_overwrite) return device_.zero(out(gradients));
  device_.run(segment("zero gradients"), [&] {
    for (const bert::FlatRange& range : outside_products_) {
      ops::zero(context, {.to = out(gradients.rows(range.begin, range.size))});
    }
  });
}

void Optimizer::take_step(Context& context) {
  if (partitioned()) return take_partitioned_step(context);
  device_.run(segment("update"), [&] { pass(context); });
}

/// Each rank updates its partition of the weights, then all ranks gather all weights.
void Optimizer::take_partitioned_step(Context& context) {
  if (settings_.kind == OptimizerKind::kLamb) {
    take_partitioned_lamb_step(context);
  } else if (!partition_.spans.empty()) {
    device_.run(segment("update"), [&] { pass(context); });
  }
  device_.synchronize();
  world_.all_gather(inout(parameters_.flat_weights()), partition_.bounds, comm::Stage::kWeights);
  const Tensor bf16 = parameters_.flat_bf16_weights();
  if (bf16.empty()) return;
  device_.run(segment("bf16 weights"), [&] {
    ops::convert(context, {.from = parameters_.flat_weights(), .to = out(bf16)});
  });
}

/// A parameter may lie in the partitions of several ranks, so its norms are sums over the blocks
/// of all of them.
void Optimizer::take_partitioned_lamb_step(Context& context) {
  const int64_t blocks = ops::norm_blocks(partition_.spans);
  const Tensor squares(&squares_, 0, DType::kF64, {blocks, 2});
  std::vector<int64_t> bounds = partition_.block_bounds;
  for (int64_t& bound : bounds) bound *= 2;
  std::vector<double> all(static_cast<size_t>(bounds.back()));
  if (blocks > 0) {
    device_.run(segment("moments"), [&] {
      clip_each(context);
      ops::lamb_update(context, {.buffers = own_buffers(),
                                 .spans = partition_.spans,
                                 .settings = settings_.adam,
                                 .scalars = scalars(),
                                 .squares = out(squares)});
    });
    device_.read(squares, all.data() + bounds[own_rank()]);
  }
  world_.all_gather(all, bounds, comm::Stage::kWeights);
  if (blocks == 0) return;
  const std::vector<float> ratios = trust_ratios(all);
  const Tensor device_ratios(&ratios_, 0, DType::kF32, {std::ssize(ratios)});
  device_.write(out(device_ratios), ratios.data());
  device_.run(segment("update"), [&] {
    ops::lamb_apply(context, {.buffers = own_buffers(),
                              .spans = partition_.spans,
                              .scalars = scalars(),
                              .ratios = device_ratios});
  });
}

/// Of this rank's spans; `squares` [blocks of all ranks, 2].
std::vector<float> Optimizer::trust_ratios(std::span<const double> squares) const {
  std::vector<float> ratios;
  for (size_t s = 0; s < partition_.spans.size(); ++s) {
    const auto [first, count] = partition_.whole[s];
    const auto of_parameter =
        squares.subspan(static_cast<size_t>(2 * first), static_cast<size_t>(2 * count));
    ratios.push_back(ops::trust_ratio(partition_.spans[s].decay, settings_.adam, of_parameter));
  }
  return ratios;
}

bool Optimizer::state_is_finite(Context& context) {
  const Tensor norm = slots_.view(kNorm, 1);
  const ops::OptimizerBuffers own = own_buffers();
  double broken = 0;
  for (const Tensor& values :
       {parameters_.flat_weights(), own.exp_avg.tensor(), own.exp_avg_sq.tensor()}) {
    // NOLINTNEXTLINE(readability-container-size-empty): of no elements, absent or not
    if (values.size() == 0) continue;
    ops::global_norm(context, {.values = values, .norm = out(norm)});
    float value = 0;
    device_.read(norm, &value);
    if (!std::isfinite(value)) broken = 1;
  }
  if (partitioned()) world_.all_reduce({&broken, 1}, comm::Stage::kSave);
  return broken == 0;
}

Tensor Optimizer::moment(const Buffer& buffer, int index) const {
  const bert::Parameter& parameter = parameters_.table()[index];
  return Tensor(&buffer, parameter.offset * size_of(DType::kF32), DType::kF32, parameter.shape);
}

void Optimizer::read_moments(int index, float* exp_avg, float* exp_avg_sq) const {
  if (!partitioned()) {
    if (exp_avg != nullptr) device_.read(moment(exp_avg_, index), exp_avg);
    if (exp_avg_sq != nullptr) device_.read(moment(exp_avg_sq_, index), exp_avg_sq);
    return;
  }
  const bert::Parameter& parameter = parameters_.table()[index];
  BERTHA_CHECK(!gathered_exp_avg_.empty(), "the moments are partitioned and were not gathered");
  const auto copy = [&parameter](const std::vector<float>& from, float* to) {
    if (to != nullptr) std::copy_n(from.begin() + parameter.offset, parameter.size(), to);
  };
  copy(gathered_exp_avg_, exp_avg);
  copy(gathered_exp_avg_sq_, exp_avg_sq);
}

void Optimizer::write_moments(int index, const float* exp_avg, const float* exp_avg_sq) {
  if (!partitioned()) {
    device_.write(out(moment(exp_avg_, index)), exp_avg);
    device_.write(out(moment(exp_avg_sq_, index)), exp_avg_sq);
    return;
  }
  const bert::Parameter& parameter = parameters_.table()[index];
  const auto size = static_cast<size_t>(parameters_.table().flat_size());
  gathered_exp_avg_.resize(size);
  gathered_exp_avg_sq_.resize(size);
  std::copy_n(exp_avg, parameter.size(), gathered_exp_avg_.begin() + parameter.offset);
  std::copy_n(exp_avg_sq, parameter.size(), gathered_exp_avg_sq_.begin() + parameter.offset);
}

void Optimizer::broadcast_moments() {
  if (world_.ranks() == 1) return;
  if (!partitioned()) {
    const ops::OptimizerBuffers all = own_buffers();
    world_.broadcast_tensor(device_, all.exp_avg, comm::Stage::kWeights);
    world_.broadcast_tensor(device_, all.exp_avg_sq, comm::Stage::kWeights);
    return;
  }
  scatter_moment(exp_avg_, gathered_exp_avg_);
  scatter_moment(exp_avg_sq_, gathered_exp_avg_sq_);
  drop_gathered_moments();
}

/// Broadcasts the whole moment in chunks; each rank copies out its own partition.
void Optimizer::scatter_moment(const Buffer& buffer, std::vector<float>& whole) {
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

void Optimizer::gather_moments() {
  if (!partitioned()) return;
  const ops::OptimizerBuffers own = own_buffers();
  std::vector<float> mine(static_cast<size_t>(partition_.size));
  for (const auto& [from, to] : {std::pair(own.exp_avg, &gathered_exp_avg_),
                                 std::pair(own.exp_avg_sq, &gathered_exp_avg_sq_)}) {
    if (world_.leads()) to->resize(static_cast<size_t>(parameters_.table().flat_size()));
    if (!mine.empty()) device_.read(from.tensor(), mine.data());
    world_.gather(mine, *to, partition_.bounds, comm::Stage::kSave);
  }
}

void Optimizer::drop_gathered_moments() {
  gathered_exp_avg_ = {};
  gathered_exp_avg_sq_ = {};
}

}  // namespace bertha::optim
