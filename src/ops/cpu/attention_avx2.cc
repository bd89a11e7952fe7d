#include "ops/cpu/attention_f32.h"

namespace bertha::ops {

const AttentionKernels kAttentionAvx2F32 = kKernels<float>;
const AttentionKernels kAttentionAvx2Bf16 = kKernels<uint16_t>;

}  // namespace bertha::ops
