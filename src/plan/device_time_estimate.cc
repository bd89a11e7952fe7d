#include "plan/device_time_estimate.h"

#include "bert/parameters.h"

namespace bertha::plan {
namespace {

/// Share of the memory's rate that an optimizer's pass reaches, as measured on CPUs.
constexpr double kUpdateShare = 0.8;
/// Bytes that an update moves for each parameter: it reads weights, gradients and two moments,
/// writes all but the gradients, and LAMB makes a second pass.
constexpr double kUpdateBytes = 40;

}  // namespace

SequenceFlops count_flops(const bert::Config& config, double tokens, double predictions) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto layers = static_cast<double>(config.num_hidden_layers);
  const auto vocabulary = static_cast<double>(config.vocab_size);
  const double weights =
      layers * (4 * hidden * hidden + 2 * hidden * static_cast<double>(config.intermediate_size));
  return {6 * weights * tokens + 12 * layers * hidden * tokens * tokens,
          6 * predictions * (hidden * hidden + hidden * vocabulary) + 6 * hidden * hidden};
}

MachineRates rates_of(const TrainingJob& job, double micro_batch_seconds, double update_seconds) {
  const Datasheet unit{.bf16_tflops = 1, .fp32_tflops = 1, .gbytes_per_s = 1};
  const TimeEstimate time = estimate_time(job, unit, {.real_share = 1, .rate_share = 1});
  return {.tflops = time.micro_batch_seconds / micro_batch_seconds,
          .gbytes_per_s = time.update_seconds / update_seconds};
}

TimeEstimate estimate_time(const TrainingJob& job, const Datasheet& gpu,
                           const TimeAssumptions& assumptions) {
  TimeEstimate time;
  time.flops =
      count_flops(job.config, static_cast<double>(job.shape.length) * assumptions.real_share,
                  static_cast<double>(job.shape.predictions) * assumptions.real_share);
  time.peak_flops = (job.autocast ? gpu.bf16_tflops : gpu.fp32_tflops) * 1e12;
  // A layer that runs again costs another forward pass, which is a third of the whole.
  const double again = job.recompute ? 4.0 / 3 : 1.0;
  time.micro_batch_seconds = static_cast<double>(job.shape.sequences) * time.flops.total() * again /
                             (time.peak_flops * assumptions.rate_share);
  const bert::ParameterTable table(job.config, bert::Heads::for_pretraining());
  time.update_seconds = static_cast<double>(table.flat_size()) * kUpdateBytes /
                        (gpu.gbytes_per_s * 1e9 * kUpdateShare);
  return time;
}

}  // namespace bertha::plan
