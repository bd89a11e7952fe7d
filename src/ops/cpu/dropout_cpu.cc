#include "backend/cpu/cpu_device.h"
#include "backend/cpu/cpu_view.h"
#include "ops/cpu/dropout_kernels.h"
#include "ops/dropout.h"

namespace bertha::ops {

DropoutStream dropout_stream(const Dropout& dropout) {
  DropoutStream stream{.site = dropout.site, .dropped_of_65536 = dropout.dropped_of_65536};
  if (dropout.active()) {
    BERTHA_CHECK(dropout.seed.size() == 2, "dropout seed {}", dropout.seed.shape().to_string());
    const auto* seed = cpu::data<int64_t>(dropout.seed);
    stream.seed = static_cast<uint64_t>(seed[0]);
    stream.draw = static_cast<uint32_t>(seed[1]);
  }
  return stream;
}

void dropout_mask(const DropoutStream& stream, int64_t first, int64_t n, uint64_t* bits) {
  static const auto kernel =
      cpu::best_isa() >= cpu::Isa::kAvx512 ? dropout_mask_avx512 : dropout_mask_avx2;
  kernel(stream, first, n, bits);
}

}  // namespace bertha::ops
