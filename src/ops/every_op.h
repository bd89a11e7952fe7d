#pragma once

// For kernels that treat every op alike: they note it, hand it on, or refuse it.

#include "ops/kernels.h"

namespace bertha::ops {

template <typename... Ops>
struct OpList {};

/// All ops. A class over it that lacks one of Kernels' is abstract, which the compiler reports.
using EveryOp =
    OpList<Embedding, EmbeddingBackward, LayerNorm, LayerNormBackward, Linear, LinearBackward,
           Int8Linear, Fp8Linear, Fp8LinearBackward, Attention, AttentionBackward, CrossEntropy,
           SequenceCrossEntropy, BinaryCrossEntropy, SquaredError, GatherRows, GatherRowsBackward,
           Convert, Copy, Zero, GlobalNorm, SquareBlocks, ClipNorm, ClipNormEach, Lamb, LambUpdate,
           LambApply, AdamW>;

namespace detail {

/// `Base` with run() of one op overridden.
template <typename Self, typename Base, typename Op, bool kScratch = NeedsScratch<Op>>
class OnOp : public Base {
 public:
  using Base::Base;
  using Base::run;
  void run(const Op& op) override { static_cast<Self*>(this)->on_run(op); }
};
template <typename Self, typename Base, typename Op>
class OnOp<Self, Base, Op, true> : public Base {
 public:
  using Base::Base;
  using Base::run;
  void run(const Op& op, const Scratch& /*scratch*/) override {
    static_cast<Self*>(this)->on_run(op);
  }
};

template <typename Self, typename Base, typename List>
struct OnOps;
template <typename Self, typename Base>
struct OnOps<Self, Base, OpList<>> {
  using Type = Base;
};
template <typename Self, typename Base, typename Op, typename... Others>
struct OnOps<Self, Base, OpList<Op, Others...>> {
  using Type = OnOp<Self, typename OnOps<Self, Base, OpList<Others...>>::Type, Op>;
};

}  // namespace detail

/// `Base`, which is Kernels or a class derived from it, with every run(op) calling
/// Self::on_run(op).
template <typename Self, typename Base>
using OnEveryOp = typename detail::OnOps<Self, Base, EveryOp>::Type;

}  // namespace bertha::ops
