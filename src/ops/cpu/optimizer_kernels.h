#pragma once

// The optimizer's loops over a run of elements, one table an instruction set. Plain pointers alone:
// the files that fill the tables must not pull in inline code of other headers.

#include <cstdint>

namespace bertha::ops {

/// AdamSettings and the step's scalars, rounded once.
struct AdamFactors {
  float beta1, rest1;  ///< rest = 1 - beta
  float beta2, rest2;
  float eps;
  float decay;
  float rate;
  float gradient_scale;
  float first_correction;
  float second_correction;
};

/// A run of elements of the flat buffers; bf16_weights may be null.
struct AdamRun {
  float* weights;
  float* gradients;
  float* exp_avg;
  float* exp_avg_sq;
  uint16_t* bf16_weights;
  int64_t size;
};

struct SquaredNorms {
  double weights;
  double update;
};

struct OptimizerKernels {
  double (*sum_squares)(const float* values, int64_t size);
  /// values *= factor.
  void (*scale)(float* values, float factor, int64_t size);
  /// Moments, and u in place of the gradients.
  SquaredNorms (*lamb_update)(const AdamRun& run, const AdamFactors& factors);
  /// weights -= step * u.
  void (*lamb_apply)(const AdamRun& run, float step);
  void (*adamw)(const AdamRun& run, const AdamFactors& factors);
  /// f32 to bf16 bits, and back.
  void (*narrow)(const float* from, uint16_t* to, int64_t size);
  void (*widen)(const uint16_t* from, float* to, int64_t size);
};
extern const OptimizerKernels kOptimizerAvx2;
extern const OptimizerKernels kOptimizerAvx512;

}  // namespace bertha::ops
