#pragma once

// Operands by which a graph moves tokens of a ragged batch to rows of slots and back, and masks
// what does not belong together. The host computes them from seq_start before each launch.

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "ops/gaudi/node_builder.h"
#include "ops/gaudi/token_rows.h"

namespace bertha::ops {

class RowOperands {
 public:
  /// `seq_start` i32 [N+1], written by the host, cuts the first of `tokens` tokens into sequences.
  RowOperands(const NodeBuilder& nodes, const Tensor& seq_start, int64_t tokens);

  const RowShape& shape() const { return shape_; }

  /// x {C,T} by slots, {C,R*S}; slots without a token hold any token's values.
  Value to_slots(const Value& x) const;
  /// The same, with 0 in slots without a token.
  Value to_slots_or_zero(const Value& x) const;
  /// x {C,R*S} by tokens, {C,T}; 0 for tokens of no sequence.
  Value to_tokens(const Value& x) const;

  /// f32 {S,S,1,R}: what to add to the score of a key (fastest) for a query: 0 where both belong to
  /// the same sequence, else a number that softmax makes 0.
  Value score_mask() const;

  /// sequences_name() of these.
  const std::string& name() const { return name_; }

 private:
  const NodeBuilder& nodes_;
  Tensor seq_start_;
  int64_t tokens_;
  std::string name_;
  RowShape shape_;
};

/// A name that differs for other sequences or other numbers of tokens.
std::string sequences_name(const Tensor& seq_start, int64_t tokens);

/// The elements of a source of integers.
std::vector<int32_t> integers_of(gaudi::HostBytes bytes);

/// Copies elements into the bytes of an operand.
template <typename T>
void fill_with(const std::vector<T>& elements, std::span<std::byte> operand) {
  const auto bytes = std::as_bytes(std::span(elements));
  BERTHA_CHECK(bytes.size() == operand.size());
  std::ranges::copy(bytes, operand.begin());
}

}  // namespace bertha::ops
