// The products of our own, for what cuBLASLt does not offer, against the CPU's.

#include <gtest/gtest.h>

#include "accelerator/pair.h"
#include "backend/cuda/plain_products.h"
#include "ops/linear.h"

namespace bertha::cuda {
namespace {

class PlainProducts : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    if (!test::DevicePair::absence().empty()) GTEST_SKIP() << test::DevicePair::absence();
    pair_ = std::make_unique<test::DevicePair>();
  }
  Tensor random(const Shape& shape, uint64_t stream) {
    return pair_->random(shape, GetParam(), stream);
  }
  double limit() const { return test::tolerance(GetParam(), 64); }

  std::unique_ptr<test::DevicePair> pair_;
};
INSTANTIATE_TEST_SUITE_P(Types, PlainProducts, testing::Values(DType::kF32, DType::kBF16));

const CudaDevice* cuda_of(const Context& context) {
  return context.device().kind() == DeviceKind::kCuda
             ? static_cast<const CudaDevice*>(&context.device())
             : nullptr;
}

/// Two outputs, as the next sentence head has; sizes around the tiles of 16; one row.
const std::vector<std::array<int64_t, 3>> kSizes = {{64, 40, 2}, {17, 33, 16}, {1, 5, 31}};

TEST_P(PlainProducts, ForwardWithABias) {
  for (const auto& [tokens, inner, outer] : kSizes) {
    const Tensor x = random({tokens, inner}, 1);
    const Tensor w = random({outer, inner}, 2);
    const Tensor b = random({outer}, 3);
    const Tensor wide = pair_->random({outer}, DType::kF32, 3);
    const Tensor y = random({tokens, outer}, 4);
    pair_->run({x, w, b, wide, y}, [&](Context& context, const auto& at) {
      if (const CudaDevice* device = cuda_of(context)) {
        plain_product(*device, factor(at(x)), transposed(at(w)), x.dim(1), false, inout(at(y)));
        return add_to_rows(*device, at(b), inout(at(y)));
      }
      ops::linear(context, {.x = at(x), .w = at(w), .b = at(wide), .y = out(at(y))});
    });
    pair_->expect_same(y, 2 * limit(), "y");
  }
}

TEST_P(PlainProducts, Gradients) {
  for (const auto& [tokens, inner, outer] : kSizes) {
    for (const bool add : {false, true}) {
      const Tensor x = random({tokens, inner}, 1);
      const Tensor w = random({outer, inner}, 2);
      const Tensor d_y = random({tokens, outer}, 3);
      const Tensor d_x = random({tokens, inner}, 4);
      const Tensor d_w = pair_->random({outer, inner}, DType::kF32, 5);
      const ops::Write write = add ? ops::Write::kAdd : ops::Write::kSet;
      pair_->run({x, w, d_y, d_x, d_w}, [&](Context& context, const auto& at) {
        if (const CudaDevice* device = cuda_of(context)) {
          plain_product(*device, factor(at(d_y)), factor(at(w)), w.dim(0), add, inout(at(d_x)));
          return plain_product(*device, transposed(at(d_y)), factor(at(x)), x.dim(0), add,
                               inout(at(d_w)));
        }
        ops::linear_backward(context, {.x = at(x),
                                       .w = at(w),
                                       .d_y = inout(at(d_y)),
                                       .d_x = inout(at(d_x)),
                                       .d_x_write = write,
                                       .d_w = inout(at(d_w)),
                                       .d_w_write = write});
      });
      pair_->expect_same(d_x, limit(), "d_x");
      pair_->expect_same(d_w, 1e-5, "d_w");
    }
  }
}

}  // namespace
}  // namespace bertha::cuda
