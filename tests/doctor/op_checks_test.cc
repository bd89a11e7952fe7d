#include "doctor/op_checks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <set>

#include "backend/cpu/cpu_device.h"
#include "ops/every_op.h"

namespace bertha::doctor {
namespace {

TEST(OpChecks, AllOpsAgreeWithTheirReferencesHere) {
  cpu::CpuDevice device;
  const std::vector<OpResult> results = check_ops(device);
  std::set<std::string> checked;
  for (const OpResult& result : results) {
    EXPECT_TRUE(result.right()) << result.op << " in " << result.dtype << ": " << result.deviation
                                << " " << result.error;
    checked.insert(result.op);
  }
  EXPECT_EQ(checked.size(), op_checks().size());
}

/// Kernels that leave every result as it was.
class IdleKernels final : public ops::Kernels {
 public:
  ops::Support support(std::string_view, DType) const override { return ops::Support::kNative; }
  ops::ScratchShapes scratch(const ops::EmbeddingBackward&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::LayerNormBackward&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::Linear&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::LinearBackward&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::Int8Linear&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::Fp8Linear&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::Fp8LinearBackward&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::AttentionBackward&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::CrossEntropy&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::SequenceCrossEntropy&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::GlobalNorm&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::ClipNormEach&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::Lamb&) const override { return {}; }

  void run(const ops::Embedding&) override {}
  void run(const ops::EmbeddingBackward&, const ops::Scratch&) override {}
  void run(const ops::LayerNorm&) override {}
  void run(const ops::LayerNormBackward&, const ops::Scratch&) override {}
  void run(const ops::Linear&, const ops::Scratch&) override {}
  void run(const ops::LinearBackward&, const ops::Scratch&) override {}
  void run(const ops::Int8Linear&, const ops::Scratch&) override {}
  void run(const ops::Fp8Linear&, const ops::Scratch&) override {}
  void run(const ops::Fp8LinearBackward&, const ops::Scratch&) override {}
  void run(const ops::Attention&) override {}
  void run(const ops::AttentionBackward&, const ops::Scratch&) override {}
  void run(const ops::CrossEntropy&, const ops::Scratch&) override {}
  void run(const ops::SequenceCrossEntropy&, const ops::Scratch&) override {}
  void run(const ops::BinaryCrossEntropy&) override {}
  void run(const ops::SquaredError&) override {}
  void run(const ops::GatherRows&) override {}
  void run(const ops::GatherRowsBackward&) override {}
  void run(const ops::Convert&) override {}
  void run(const ops::Copy&) override {}
  void run(const ops::Zero&) override {}
  void run(const ops::GlobalNorm&, const ops::Scratch&) override {}
  void run(const ops::SquareBlocks&) override {}
  void run(const ops::ClipNorm&) override {}
  void run(const ops::ClipNormEach&, const ops::Scratch&) override {}
  void run(const ops::Lamb&, const ops::Scratch&) override {}
  void run(const ops::LambUpdate&) override {}
  void run(const ops::LambApply&) override {}
  void run(const ops::AdamW&) override {}
};

TEST(OpChecks, AnOpThatDoesNothingIsFound) {
  cpu::CpuDevice device;
  device.set_kernels(std::make_shared<IdleKernels>());
  for (const OpResult& result : check_ops(device)) {
    EXPECT_FALSE(result.right()) << result.op << " in " << result.dtype;
  }
}

TEST(OpChecks, DeviationFindsAWrongSignANanAndAWrongSize) {
  const Values expected = {1, 2, 3};
  const auto largest = [&](const Values& actual) {
    Deviation deviation;
    deviation.compare(actual, expected, DType::kF32);
    return deviation.largest();
  };
  EXPECT_EQ(largest(expected), 0);
  EXPECT_LE(largest({1 + 0x1p-23, 2, 3}), 1);
  EXPECT_GT(largest({1, -2, 3}), 1);
  EXPECT_GT(largest({1, 2, 3.0001}), 1);
  EXPECT_EQ(largest({1, std::nan(""), 3}), std::numeric_limits<double>::infinity());
  EXPECT_EQ(largest({1, 2}), std::numeric_limits<double>::infinity());
  Deviation exact;
  exact.compare_exactly({1, 2, 3}, expected);
  EXPECT_EQ(exact.largest(), 0);
  exact.compare_exactly({1, 2, 3 + 0x1p-40}, expected);
  EXPECT_GT(exact.largest(), 1);
}

}  // namespace
}  // namespace bertha::doctor
