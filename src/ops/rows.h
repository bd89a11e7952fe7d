#pragma once

// Picking M of T rows out of a batch ([CLS] tokens, masked tokens) and giving their gradients back.

#include <string_view>

#include "core/context.h"
#include "core/profile.h"

namespace bertha::ops {

/// y = x[rows].
struct GatherRows {
  Tensor x;     ///< [T,H] f32 or bf16
  Tensor rows;  ///< [M] i32 in [0, T)
  Out y;        ///< [M,H], of x's dtype

  static constexpr std::string_view kName = "gather rows";
  void check() const;
  Cost cost() const;
};
void gather_rows(Context& context, const GatherRows& op);

/// d_x[rows[i]] += d_y[i], in the order of i where a row is named twice.
struct GatherRowsBackward {
  Tensor d_y;   ///< [M,H] f32 or bf16
  Tensor rows;  ///< [M] i32 in [0, T)
  InOut d_x;    ///< [T,H], of d_y's dtype

  static constexpr std::string_view kName = "gather rows, backward";
  void check() const;
  Cost cost() const;
};
void gather_rows_backward(Context& context, const GatherRowsBackward& op);

}  // namespace bertha::ops
