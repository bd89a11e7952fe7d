#include "ops/optimizer_steps.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "core/thread_pool.h"
#include "ops/convert.h"
#include "ops/cpu/optimizer_kernels.h"
#include "ops/optimizer_steps_ref.h"
#include "support/compare.h"
#include "support/host.h"

namespace bertha::ops {
namespace {

using test::Host;
using Values = std::vector<float>;

constexpr float kPadding = 123.5F;

/// Spans at multiples of 32 elements with every kind of tail; one is larger than a norm block.
std::vector<ParameterSpan> make_spans() {
  std::vector<ParameterSpan> spans;
  int64_t offset = 0;
  for (const int64_t size : {1, 3, 96, 17, 150001, 768, 31, 65536}) {
    spans.push_back({.offset = offset, .size = size, .decay = spans.size() % 2 == 0});
    offset = (offset + size + 31) / 32 * 32;
  }
  return spans;
}

int64_t flat_size(const std::vector<ParameterSpan>& spans) {
  return (spans.back().offset + spans.back().size + 31) / 32 * 32;
}

/// Flat buffers whose padding holds kPadding.
struct Flat {
  explicit Flat(bool with_bf16 = true) : spans(make_spans()), size(flat_size(spans)) {
    weights = host.tensor({size}, padded(test::uniform_values(size, 1)));
    gradients = host.tensor({size}, padded(test::uniform_values(size, 2)));
    exp_avg = host.tensor({size}, padded(test::uniform_values(size, 3)));
    Values squares = test::uniform_values(size, 4);
    for (float& v : squares) v *= v;
    exp_avg_sq = host.tensor({size}, padded(squares));
    if (with_bf16) bf16_weights = host.filled({size}, kPadding, DType::kBF16);
    scalars = host.tensor({kStepScalars}, {0.01F, 0.5F, 1.9F, 30.0F});
  }

  Values padded(Values values) const {
    Values result(values.size(), kPadding);
    for (const ParameterSpan& span : spans) {
      std::copy_n(values.begin() + span.offset, span.size, result.begin() + span.offset);
    }
    return result;
  }
  OptimizerBuffers buffers() const {
    return {.weights = inout(weights),
            .gradients = inout(gradients),
            .exp_avg = inout(exp_avg),
            .exp_avg_sq = inout(exp_avg_sq),
            .bf16_weights = out(bf16_weights)};
  }
  std::vector<Values> all() const {
    std::vector<Values> values = {Host::values(weights), Host::values(gradients),
                                  Host::values(exp_avg), Host::values(exp_avg_sq)};
    if (!bf16_weights.empty()) values.push_back(Host::values(bf16_weights));
    return values;
  }

  Host host;
  std::vector<ParameterSpan> spans;
  int64_t size;
  Tensor weights, gradients, exp_avg, exp_avg_sq, bf16_weights, scalars;
};

template <typename S>
std::vector<S> part_of(const Tensor& flat, const ParameterSpan& span) {
  const Values values = Host::values(flat);
  return {values.begin() + span.offset, values.begin() + span.offset + span.size};
}

template <typename S>
reference::AdamState<S> state_of(const Flat& flat, const ParameterSpan& span) {
  return {part_of<S>(flat.weights, span), part_of<S>(flat.gradients, span),
          part_of<S>(flat.exp_avg, span), part_of<S>(flat.exp_avg_sq, span)};
}

template <typename S>
constexpr reference::StepScalars<S> kStep = {S(0.01F), S(0.5F), S(1.9F), S(30.0F)};

enum class Pass { kLamb, kAdamW };
void run(Pass pass, Flat& flat, Spans spans) {
  Context& context = flat.host.context();
  if (pass == Pass::kLamb) {
    lamb(context,
         {.buffers = flat.buffers(), .spans = spans, .settings = {}, .scalars = flat.scalars});
  } else {
    adamw(context,
          {.buffers = flat.buffers(), .spans = spans, .settings = {}, .scalars = flat.scalars});
  }
}
void clip_each(Flat& flat, float max_norm) {
  clip_norm_each(flat.host.context(),
                 {.gradients = InOut(flat.gradients), .spans = flat.spans, .max_norm = max_norm});
}
template <typename S>
void reference_pass(Pass pass, reference::AdamState<S>& state, bool decay) {
  if (pass == Pass::kLamb) {
    reference::lamb(state, AdamSettings{}, decay, kStep<S>);
  } else {
    reference::adamw(state, AdamSettings{}, decay, kStep<S>);
  }
}

TEST(Optimizer, FollowsTheReference) {
  for (const Pass pass : {Pass::kLamb, Pass::kAdamW}) {
    Flat flat;
    std::vector<reference::AdamState<double>> expected;
    std::vector<reference::AdamState<float>> same_bits;
    for (const ParameterSpan& span : flat.spans) {
      expected.push_back(state_of<double>(flat, span));
      reference_pass(pass, expected.back(), span.decay);
      same_bits.push_back(state_of<float>(flat, span));
      reference_pass(pass, same_bits.back(), span.decay);
    }
    run(pass, flat, flat.spans);
    for (size_t s = 0; s < flat.spans.size(); ++s) {
      const ParameterSpan& span = flat.spans[s];
      const Values weights = part_of<float>(flat.weights, span);
      EXPECT_EQ(part_of<float>(flat.exp_avg, span), same_bits[s].exp_avg);
      EXPECT_EQ(part_of<float>(flat.exp_avg_sq, span), same_bits[s].exp_avg_sq);
      if (pass == Pass::kAdamW) {
        EXPECT_EQ(weights, same_bits[s].weights);
      }
      test::expect_close(weights, expected[s].weights, 4e-7, "weights");
      test::expect_close(part_of<float>(flat.exp_avg_sq, span), expected[s].exp_avg_sq, 4e-7,
                         "exp_avg_sq");
      EXPECT_EQ(part_of<float>(flat.bf16_weights, span), test::rounded_to(DType::kBF16, weights));
    }
  }
}

TEST(Optimizer, LeavesPaddingAlone) {
  for (const Pass pass : {Pass::kLamb, Pass::kAdamW}) {
    Flat flat;
    run(pass, flat, flat.spans);
    clip_each(flat, 0.01F);
    const std::vector<Values> all = flat.all();
    for (const Values& buffer : all) EXPECT_EQ(buffer, flat.padded(buffer));
  }
}

TEST(Optimizer, BF16WeightsAreOptional) {
  for (const Pass pass : {Pass::kLamb, Pass::kAdamW}) {
    Flat with, without(false);
    for (Flat* flat : {&with, &without}) {
      run(pass, *flat, flat->spans);
    }
    EXPECT_EQ(Host::values(with.weights), Host::values(without.weights));
  }
}

TEST(Optimizer, BitsDoNotDependOnThreads) {
  for (const Pass pass : {Pass::kLamb, Pass::kAdamW}) {
    std::vector<std::vector<Values>> results;
    for (const int threads : {1, 2, 3, 3}) {
      ThreadPool pool(threads);
      const PoolBinding binding(pool);
      Flat flat;
      const Tensor norm = flat.host.filled({1}, 0);
      global_norm(flat.host.context(), {.values = flat.gradients, .norm = Out(norm)});
      clip_each(flat, 5);
      run(pass, flat, flat.spans);
      results.push_back(flat.all());
      results.back().push_back(Host::values(norm));
    }
    for (const auto& result : results) EXPECT_EQ(result, results.front());
  }
}

/// The weights of one parameter after a LAMB step of rate 1 without moments.
Values lamb_once(const Values& weights, const Values& gradients, bool decay) {
  Host host;
  const auto size = static_cast<int64_t>(weights.size());
  const OptimizerBuffers buffers = {.weights = inout(host.tensor({size}, weights)),
                                    .gradients = inout(host.tensor({size}, gradients)),
                                    .exp_avg = inout(host.filled({size}, 0)),
                                    .exp_avg_sq = inout(host.filled({size}, 0))};
  const ParameterSpan span = {.size = size, .decay = decay};
  // Bias corrections of the first step: u is ±1 (and the decay).
  const Tensor scalars = host.tensor({kStepScalars}, {1, 1, 10, 1000});
  lamb(host.context(),
       {.buffers = buffers, .spans = {&span, 1}, .settings = {}, .scalars = scalars});
  return Host::values(buffers.weights.tensor());
}

TEST(Optimizer, TrustRatio) {
  // ‖w‖ = 5; u = 1 + 0.01 w = (1.03, 1.04); the step is ‖w‖ / ‖u‖ · u.
  const double norm = std::hypot(1.03, 1.04);
  test::expect_each_close(lamb_once({3, 4}, {0.5, 0.25}, true),
                          std::vector<double>{3 - 5 * 1.03 / norm, 4 - 5 * 1.04 / norm}, 0, 1e-5,
                          "decayed");
  test::expect_each_close(lamb_once({3, 4}, {0.5, 0.25}, false), std::vector<double>{2, 3}, 0, 1e-5,
                          "not decayed: ratio 1");
  test::expect_each_close(lamb_once({0, 0}, {0.5, -0.25}, true), std::vector<double>{-1, 1}, 0,
                          1e-5, "zero weights: ratio 1");
  EXPECT_EQ(lamb_once({3, 4}, {0, 0}, false), (Values{3, 4}));
  EXPECT_EQ(lamb_once({0, 0}, {0, 0}, true), (Values{0, 0}));
}

TEST(Optimizer, RefusesSpansThatOverlapOrEndOutside) {
  Flat flat;
  const auto pass = [&](const std::vector<ParameterSpan>& spans) { run(Pass::kLamb, flat, spans); };
  EXPECT_THROW(pass({{0, 32, false}, {31, 5, false}}), LogicError);
  EXPECT_THROW(pass({{flat.size - 1, 2, false}}), LogicError);
  EXPECT_THROW(pass({{-1, 2, false}}), LogicError);
}

float norm_of(const Values& values) {
  Host host;
  const Tensor norm = host.filled({1}, -1);
  const auto size = static_cast<int64_t>(values.size());
  global_norm(host.context(), {.values = host.tensor({size}, values), .norm = Out(norm)});
  return Host::values(norm)[0];
}

TEST(GlobalNorm, IsSummedInDouble) {
  for (const int64_t size : {1, 15, 16, 17, 200003}) {
    const Values values = test::uniform_values(size, 7);
    EXPECT_FLOAT_EQ(norm_of(values), static_cast<float>(reference::norm(values)));
  }
  // A float would overflow at 1e40 and lose the small terms.
  EXPECT_FLOAT_EQ(norm_of({1e20F, 1e20F}), 1.4142135e20F);
  EXPECT_FLOAT_EQ(norm_of({1e-30F}), 1e-30F);
  Values mixed(1 << 20, 1.0F);
  mixed[0] = 8192;
  EXPECT_FLOAT_EQ(norm_of(mixed), std::sqrt(8192.0F * 8192 + (1 << 20) - 1));
}

TEST(GlobalNorm, LetsNaNAndInfinityThrough) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const size_t at : {size_t{0}, size_t{70000}, size_t{200002}}) {
    Values values = test::uniform_values(200003, 7);
    values[at] = NAN;
    EXPECT_TRUE(std::isnan(norm_of(values)));
    values[at] = -kInfinity;
    EXPECT_EQ(norm_of(values), kInfinity);
  }
}

TEST(ClipNorm, ScalesOnlyWhatIsTooLong) {
  Host host;
  for (const float max_norm : {1.0F, 10.0F}) {
    const Tensor gradients = host.tensor({2}, {3, -4});
    const Tensor norm = host.filled({1}, 5);
    clip_norm(host.context(), {.gradients = InOut(gradients), .norm = norm, .max_norm = max_norm});
    const double factor = std::min(1.0, static_cast<double>(max_norm) / (5 + 1e-6));
    test::expect_each_close(Host::values(gradients), std::vector<double>{3 * factor, -4 * factor},
                            0, 1e-7, "gradients");
  }
  const Tensor gradients = host.tensor({2}, {3, -4});
  clip_norm(host.context(),
            {.gradients = InOut(gradients), .norm = host.filled({1}, NAN), .max_norm = 1});
  EXPECT_EQ(Host::values(gradients), (Values{3, -4}));
}

TEST(ClipNorm, EachParameterByItsOwnNorm) {
  Flat flat;
  const Values before = Host::values(flat.gradients);
  clip_each(flat, 2);
  const Values after = Host::values(flat.gradients);
  for (const ParameterSpan& span : flat.spans) {
    const Values own(before.begin() + span.offset, before.begin() + span.offset + span.size);
    const double factor = std::min(1.0, 2 / (reference::norm(own) + 1e-6));
    std::vector<double> expected;
    for (const float g : own) expected.push_back(static_cast<double>(g) * factor);
    test::expect_close(part_of<float>(flat.gradients, span), expected, 2e-7, "gradients");
  }
}

Values special_values() {
  Values values = test::uniform_values(1000, 9);
  for (const uint32_t bits : {0x7f800001U, 0x7fffffffU, 0xffbfffffU, 0x7f800000U, 0xff800000U,
                              0x7f7fffffU, 0x3f808000U, 0x3f818000U, 0x00000001U, 0x80000000U}) {
    values.push_back(std::bit_cast<float>(bits));
  }
  return values;
}

TEST(Convert, RoundsAndWidensAsBFloat16Does) {
  Host host;
  const Values values = special_values();
  const auto size = static_cast<int64_t>(values.size());
  const Tensor narrow = host.filled({size}, 0, DType::kBF16);
  const Tensor wide = host.filled({size}, 0);
  convert(host.context(), {.from = host.tensor({size}, values), .to = Out(narrow)});
  convert(host.context(), {.from = narrow, .to = Out(wide)});
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t expected = BFloat16::round(values[i]);
    ASSERT_EQ(cpu::data<BFloat16>(narrow)[i].bits, expected) << i;
    ASSERT_EQ(std::bit_cast<uint32_t>(cpu::data<float>(wide)[i]), uint32_t{expected} << 16) << i;
  }
  const Convert to_itself = {.from = wide, .to = Out(wide)};
  EXPECT_THROW(convert(host.context(), to_itself), LogicError);
}

/// All that the kernels compute for a run of `size` elements.
std::vector<Values> outputs_of(const OptimizerKernels& kernels, int64_t size) {
  Values w = test::uniform_values(size, 1), g = test::uniform_values(size, 2),
         m = test::uniform_values(size, 3), v(w.size(), 0.25F), scaled = w, wide(w.size());
  std::vector<uint16_t> bf16(w.size());
  const AdamFactors factors = {.beta1 = 0.9F,
                               .rest1 = 0.1F,
                               .beta2 = 0.999F,
                               .rest2 = 0.001F,
                               .eps = 1e-6F,
                               .decay = 0.01F,
                               .rate = 0.1F,
                               .gradient_scale = 0.3F,
                               .first_correction = 2,
                               .second_correction = 3};
  const AdamRun run = {w.data(), g.data(), m.data(), v.data(), bf16.data(), size};
  const SquaredNorms norms = kernels.lamb_update(run, factors);
  kernels.lamb_apply(run, 0.3F);
  kernels.adamw(run, factors);
  kernels.scale(scaled.data(), 1.1F, size);
  kernels.widen(bf16.data(), wide.data(), size);
  kernels.narrow(w.data(), bf16.data(), size);
  const Values sums = {static_cast<float>(norms.weights), static_cast<float>(norms.update),
                       static_cast<float>(kernels.sum_squares(m.data(), size) * 0x1p20)};
  return {w, g, m, v, scaled, wide, Values(bf16.begin(), bf16.end()), sums};
}

TEST(Optimizer, KernelsOfAllInstructionSetsGiveTheSameBits) {
  if (cpu::best_isa() < cpu::Isa::kAvx512) GTEST_SKIP() << "no AVX-512 here";
  for (int64_t size = 1; size < 100; ++size) {
    EXPECT_EQ(outputs_of(kOptimizerAvx2, size), outputs_of(kOptimizerAvx512, size)) << size;
  }
}

}  // namespace
}  // namespace bertha::ops
