#pragma once

// Where attention on a Gaudi device finds the tokens of a ragged batch. A recipe has fixed shapes,
// so sequences are packed into rows of one length, first fit, each sequence whole in one row.
// Length and number of rows are rounded up to few values; slots that no token fills are masked.

#include <cstdint>
#include <span>
#include <vector>

namespace bertha::ops {

/// R rows of S slots.
struct RowShape {
  int64_t rows = 0;
  int64_t length = 0;

  int64_t slots() const { return rows * length; }
};

/// Sequences of a batch in rows: sequence i begins in slot first_slot[i], which is counted over all
/// rows.
struct TokenRows {
  RowShape shape;
  std::vector<int64_t> first_slot;
};

/// Packs the sequences seq_start[i] to seq_start[i + 1] (ops/attention.h).
TokenRows pack_rows(std::span<const int32_t> seq_start);

/// For each slot the token in it; 0 where there is none.
std::vector<int32_t> tokens_of_slots(const TokenRows& rows, std::span<const int32_t> seq_start);
/// For each of `tokens` tokens its slot; 0 for those of no sequence.
std::vector<int32_t> slots_of_tokens(const TokenRows& rows, std::span<const int32_t> seq_start,
                                     int64_t tokens);

}  // namespace bertha::ops
