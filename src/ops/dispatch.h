#pragma once

// The way of every op from its caller to a kernel, written once. For the x.cc files of the ops.

#include "core/context.h"
#include "core/profile.h"
#include "ops/kernels.h"

namespace bertha::ops {

inline Tensor make_scratch(Context& context, const ScratchShape& scratch) {
  return scratch.shape.rank() == 0 ? Tensor() : context.make(scratch.shape, scratch.dtype);
}

/// Checks the operands, makes the kernel's scratch for the length of the call, and, unless the run
/// is dry, runs the kernel and notes its time in the device's profile.
template <typename Op>
void dispatch(Context& context, const Op& op) {
  op.check();
  Kernels& kernels = kernels_of(context.device());
  const Context::Scope scope = context.scope();
  [[maybe_unused]] Scratch scratch;
  if constexpr (NeedsScratch<Op>) {
    const ScratchShapes shapes = kernels.scratch(op);
    scratch.values = make_scratch(context, shapes.values);
    scratch.factors = make_scratch(context, shapes.factors);
    scratch.products = make_scratch(context, shapes.products);
  }
  if (context.dry()) return;
  if constexpr (requires { op.has_work(); }) {
    if (!op.has_work()) return;
  }
  const Timed timed(context.device(), Op::kName, [&] { return op.cost(); });
  if constexpr (NeedsScratch<Op>) {
    kernels.run(op, scratch);
  } else {
    kernels.run(op);
  }
}

}  // namespace bertha::ops
