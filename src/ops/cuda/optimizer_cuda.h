#pragma once

#include "backend/cuda/cuda_device.h"
#include "ops/cpu/optimizer_cpu.h"
#include "ops/optimizer.h"

namespace bertha::ops {

void global_norm_cuda(cuda::CudaDevice& device, const Tensor& gradients, Out norm,
                      const NormScratch& scratch);
void clip_norm_cuda(cuda::CudaDevice& device, InOut gradients, const Tensor& norm, float max_norm);
void clip_norm_each_cuda(cuda::CudaDevice& device, InOut gradients,
                         std::span<const ParameterSpan> spans, float max_norm,
                         const NormScratch& scratch);
void square_blocks_cuda(cuda::CudaDevice& device, const Tensor& values,
                        std::span<const ParameterSpan> spans, Out squares);
void lamb_update_cuda(cuda::CudaDevice& device, const OptimizerBuffers& buffers,
                      std::span<const ParameterSpan> spans, const AdamSettings& settings,
                      const Tensor& scalars, Out squares);
void lamb_apply_cuda(cuda::CudaDevice& device, const OptimizerBuffers& buffers,
                     std::span<const ParameterSpan> spans, const Tensor& scalars,
                     const Tensor& ratios);
void lamb_cuda(cuda::CudaDevice& device, const OptimizerBuffers& buffers,
               std::span<const ParameterSpan> spans, const AdamSettings& settings,
               const Tensor& scalars, const NormScratch& scratch);
void adamw_cuda(cuda::CudaDevice& device, const OptimizerBuffers& buffers,
                std::span<const ParameterSpan> spans, const AdamSettings& settings,
                const Tensor& scalars);
void convert_cuda(cuda::CudaDevice& device, const Tensor& from, Out to);

}  // namespace bertha::ops
