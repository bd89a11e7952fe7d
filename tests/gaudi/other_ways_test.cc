// Operations by the ways that are taken where a kernel is refused, and dropout by the device's own
// generator.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>

#include "accelerator/pair.h"
#include "accelerator/tiny_run.h"
#include "accelerator/under_test.h"
#include "backend/cpu/cpu_device.h"
#include "gaudi/standin_program.h"
#include "ops/kernels.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"
#include "support/compare.h"

namespace bertha {
namespace {

using standin::test::run_in_child;
using test::DevicePair;
using test::TinyRun;

PretrainingBatch make_batch(uint64_t number) {
  return test::ragged_batch(number, 3, 6, 16);
}

/// GELU and its gradient from -6 to 6, by way of a product with the identity.
void compare_gelu() {
  constexpr int64_t kCount = 64;
  DevicePair pair;
  std::vector<float> values(static_cast<size_t>(kCount * kCount));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = -6 + 12 * static_cast<float>(i) / static_cast<float>(values.size() - 1);
  }
  std::vector<float> identity(values.size());
  for (size_t i = 0; i < identity.size(); i += kCount + 1) identity[i] = 1;
  const Shape shape = {kCount, kCount};
  const Tensor x = pair.values(shape, values);
  const Tensor w = pair.values(shape, identity);
  const Tensor y = pair.filled(shape, 0);
  const Tensor saved = pair.filled(shape, 0);
  const Tensor d_y = pair.filled(shape, 1);
  const Tensor d_w = pair.filled(shape, 0);
  pair.run({x, w, y, saved, d_y, d_w}, [&](Context& context, const auto& at) {
    ops::linear(context, {.x = at(x),
                          .w = at(w),
                          .activation = ops::Activation::kGelu,
                          .y = out(at(y)),
                          .saved = out(at(saved))});
    ops::linear_backward(context, {.x = at(x),
                                   .w = at(w),
                                   .saved = at(saved),
                                   .activation = ops::Activation::kGelu,
                                   .d_y = inout(at(d_y)),
                                   .d_w = inout(at(d_w))});
  });
  pair.expect_same(y, 1e-6, "y");
  pair.expect_same(d_y, 1e-6, "d_y");
}

TEST(GaudiOtherWays, GeluByArithmetic) {
  for (const char* without : {"", "gelu_bwd", "gelu_bwd,cgelu_bwd", "gelu_fwd,cgelu_bwd"}) {
    run_in_child({{"BERTHA_STANDIN_WITHOUT", without}}, compare_gelu);
  }
}

TEST(GaudiOtherWays, TrainingFollowsTheCpuWithoutKernels) {
  run_in_child({{"BERTHA_STANDIN_WITHOUT",
                 "gelu_fwd,gelu_bwd,cgelu_bwd,layer_norm_fwd,layer_norm_bwd,"
                 "embedding_dense_pt_bwd"}},
               [] {
                 cpu::CpuDevice host;
                 const std::unique_ptr<Device> device = test::accelerator().open(0);
                 const std::vector<double> expected = TinyRun(host).train(0, 3, make_batch);
                 const std::vector<double> actual = TinyRun(*device).train(0, 3, make_batch);
                 test::expect_each_close(actual, expected, 0, 1e-4, "losses and norms");
               });
}

/// LayerNorm's sum with dropout in `z`, and the gradient through the dropout in `d_x`, both of
/// ones.
void compare_masks(Device& device) {
  constexpr int64_t kRows = 200;
  constexpr int64_t kColumns = 128;
  const Shape shape = {kRows, kColumns};
  Arena arena(device, int64_t{1} << 20);
  Context context(device, arena);
  const auto filled = [&](const Shape& of, float value) {
    const Tensor made = context.make(of, DType::kF32);
    const std::vector<float> values(static_cast<size_t>(of.size()), value);
    device.write(out(made), values.data());
    return made;
  };
  const Tensor z = filled(shape, 1);
  const Tensor d = filled(shape, 1);
  const Tensor gamma = filled({kColumns}, 1);
  const Tensor beta = filled({kColumns}, 0);
  const Tensor y = filled(shape, 0);
  const Tensor d_x = filled(shape, 0);
  const Tensor mean = filled({kRows}, 0);
  const Tensor rstd = filled({kRows}, 1);
  const Tensor d_gamma = filled({kColumns}, 0);
  const Tensor d_beta = filled({kColumns}, 0);
  const Tensor seed = context.make({2}, DType::kI64);
  constexpr std::array<int64_t, 2> kSeed = {7, 3};
  device.write(out(seed), kSeed.data());
  const Dropout dropout = make_dropout(0.25, 4, seed);
  device.run({.name = "both passes"}, [&] {
    ops::layer_norm(context, {.z = inout(z),
                              .gamma = gamma,
                              .beta = beta,
                              .eps = 1e-12F,
                              .dropout = dropout,
                              .y = out(y),
                              .mean = out(mean),
                              .rstd = out(rstd)});
    ops::layer_norm_backward(context, {.z = z,
                                       .mean = mean,
                                       .rstd = rstd,
                                       .gamma = gamma,
                                       .dropout = dropout,
                                       .d = inout(d),
                                       .d_x = out(d_x),
                                       .d_gamma = inout(d_gamma),
                                       .d_beta = inout(d_beta)});
  });
  std::vector<float> sums(static_cast<size_t>(shape.size()));
  std::vector<float> gradients(sums.size());
  std::vector<float> undropped(sums.size());
  device.read(z, sums.data());
  device.read(d_x, gradients.data());
  device.read(d, undropped.data());
  for (size_t i = 0; i < sums.size(); ++i) {
    ASSERT_TRUE(sums[i] == 0 || std::abs(sums[i] - 4.0F / 3) < 1e-6F) << sums[i];
    const float expected = sums[i] == 0 ? 0 : undropped[i] * 4 / 3;
    ASSERT_NEAR(gradients[i], expected, 1e-6F * std::abs(expected)) << "element " << i;
  }
  const auto dropped = static_cast<double>(std::ranges::count(sums, 0.0F));
  EXPECT_NEAR(dropped / static_cast<double>(sums.size()), 0.25, 0.02);
}

TEST(GaudiOtherWays, TheDevicesGeneratorKeepsTheSameInBothPasses) {
  run_in_child({{"BERTHA_GAUDI_DROPOUT", "device"}}, [] {
    const std::unique_ptr<Device> device = test::accelerator().open(0);
    compare_masks(*device);
    EXPECT_NE(device->description().find("dropout's masks from its own generator"),
              std::string::npos)
        << device->description();
  });
}

TEST(GaudiOtherWays, TheDevicesGeneratorIsTakenWhereTheHostsMasksAreRefused) {
  run_in_child({{"BERTHA_STANDIN_WITHOUT", "cast_i8_to_f32"}}, [] {
    const std::unique_ptr<Device> device = test::accelerator().open(0);
    ops::kernels_of(*device);
    EXPECT_NE(device->description().find("its own generator"), std::string::npos);
  });
}

TEST(GaudiOtherWays, TheDevicesGeneratorTrains) {
  run_in_child({{"BERTHA_GAUDI_DROPOUT", "device"}}, [] {
    const std::unique_ptr<Device> device = test::accelerator().open(0);
    const std::vector<double> kept = TinyRun(*device).train(0, 12, make_batch);
    const std::vector<double> again = TinyRun(*device, {}, true).train(0, 12, make_batch);
    test::expect_each_close(again, kept, 0, 1e-5, "losses and norms");
    EXPECT_EQ(TinyRun(*device).train(0, 12, make_batch), kept);
  });
}

TEST(GaudiOtherWays, AnUnknownSourceOfMasksIsRefused) {
  run_in_child({{"BERTHA_GAUDI_DROPOUT", "both"}}, [] {
    const std::unique_ptr<Device> device = test::accelerator().open(0);
    try {
      ops::kernels_of(*device);
      FAIL() << "taken";
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), "BERTHA_GAUDI_DROPOUT=both: expected host or device");
    }
  });
}

}  // namespace
}  // namespace bertha
