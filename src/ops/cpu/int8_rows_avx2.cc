#include "ops/cpu/int8_rows_simd.h"  // rows to bytes, and sums to results

namespace bertha::ops {

const Int8RowTable kInt8RowsAvx2 = {kInt8RowKernels<float>, kInt8RowKernels<uint16_t>};

}  // namespace bertha::ops
