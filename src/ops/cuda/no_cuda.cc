// Stands for the *_cuda.cu files in a program built without CUDA. No CudaDevice exists there, so
// nothing of this runs.

#include "core/error.h"
#include "ops/cuda/attention_cuda.h"
#include "ops/cuda/cross_entropy_cuda.h"
#include "ops/cuda/embedding_cuda.h"
#include "ops/cuda/layer_norm_cuda.h"
#include "ops/cuda/linear_cuda.h"
#include "ops/cuda/optimizer_cuda.h"
#include "ops/cuda/rows_cuda.h"
#include "ops/cuda/sequence_cross_entropy_cuda.h"

namespace bertha::ops {
namespace {

[[noreturn]] void absent() {
  fail("this program was built without CUDA");
}

}  // namespace

void attention_cuda(cuda::CudaDevice&, const Tensor&, const Tensor&, const AttentionShape&,
                    const Dropout&, Out, Out) {
  absent();
}
void attention_backward_cuda(cuda::CudaDevice&, const Tensor&, const Tensor&, const AttentionShape&,
                             const Dropout&, const Tensor&, const Tensor&, const Tensor&, Out,
                             const Tensor&) {
  absent();
}
void cross_entropy_cuda(cuda::CudaDevice&, InOut, const Tensor&, const Tensor&, const Tensor&,
                        Out) {
  absent();
}
void sequence_cross_entropy_cuda(cuda::CudaDevice&, InOut, const Tensor&, const Tensor&,
                                 const Tensor&, const Tensor&, Out) {
  absent();
}
void embedding_cuda(cuda::CudaDevice&, const EmbeddingIds&, const EmbeddingTables&, const Tensor&,
                    const Tensor&, float, const Dropout&, Out, Out, Out, Out) {
  absent();
}
void embedding_scatter_cuda(cuda::CudaDevice&, const EmbeddingIds&, const Tensor&,
                            const EmbeddingTables&, const Tensor&) {
  absent();
}
void layer_norm_cuda(cuda::CudaDevice&, InOut, const Tensor&, const Tensor&, const Tensor&, float,
                     const Dropout&, Out, Out, Out) {
  absent();
}
void layer_norm_backward_cuda(cuda::CudaDevice&, const LayerNormGradientCuda&) {
  absent();
}
void linear_cuda(cuda::CudaDevice&, const Tensor&, const Tensor&, const Tensor&, Activation, Out,
                 Out, const LinearScratchCuda&) {
  absent();
}
void linear_backward_cuda(cuda::CudaDevice&, const Tensor&, const Tensor&, const Tensor&,
                          Activation, InOut, InOut, Write, InOut, InOut, const LinearScratchCuda&) {
  absent();
}
void global_norm_cuda(cuda::CudaDevice&, const Tensor&, Out, const NormScratch&) {
  absent();
}
void clip_norm_cuda(cuda::CudaDevice&, InOut, const Tensor&, float) {
  absent();
}
void clip_norm_each_cuda(cuda::CudaDevice&, InOut, std::span<const ParameterSpan>, float,
                         const NormScratch&) {
  absent();
}
void square_blocks_cuda(cuda::CudaDevice&, const Tensor&, std::span<const ParameterSpan>, Out) {
  absent();
}
void lamb_update_cuda(cuda::CudaDevice&, const OptimizerBuffers&, std::span<const ParameterSpan>,
                      const AdamSettings&, const Tensor&, Out) {
  absent();
}
void lamb_apply_cuda(cuda::CudaDevice&, const OptimizerBuffers&, std::span<const ParameterSpan>,
                     const Tensor&, const Tensor&) {
  absent();
}
void lamb_cuda(cuda::CudaDevice&, const OptimizerBuffers&, std::span<const ParameterSpan>,
               const AdamSettings&, const Tensor&, const NormScratch&) {
  absent();
}
void adamw_cuda(cuda::CudaDevice&, const OptimizerBuffers&, std::span<const ParameterSpan>,
                const AdamSettings&, const Tensor&) {
  absent();
}
void convert_cuda(cuda::CudaDevice&, const Tensor&, Out) {
  absent();
}
void gather_rows_cuda(cuda::CudaDevice&, const Tensor&, const Tensor&, Out) {
  absent();
}
void gather_rows_backward_cuda(cuda::CudaDevice&, const Tensor&, const Tensor&, InOut) {
  absent();
}

}  // namespace bertha::ops
