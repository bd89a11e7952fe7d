#include "ops/cpu/attention_f32.h"

namespace bertha::ops {

const AttentionKernels kAttentionAvx512F32 = kKernels<float>;
const AttentionKernels kAttentionAvx512Bf16 = kKernels<uint16_t>;

}  // namespace bertha::ops
