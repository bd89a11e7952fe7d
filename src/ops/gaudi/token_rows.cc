#include "ops/gaudi/token_rows.h"

#include <algorithm>
#include <bit>

#include "core/error.h"

namespace bertha::ops {
namespace {

/// Lengths of rows: those of the recipe's phases and tasks, and shorter ones for short questions.
int64_t rounded_length(int64_t longest) {
  for (const int64_t length : {32, 64, 128, 256, 384, 512}) {
    if (longest <= length) return length;
  }
  return (longest + 511) / 512 * 512;
}

/// At most 4 counts for each power of two: the rows that this adds cost time in attention alone.
int64_t rounded_rows(int64_t rows) {
  const auto power = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(rows)));
  const int64_t step = std::max<int64_t>(power / 4, 1);
  return (rows + step - 1) / step * step;
}

}  // namespace

TokenRows pack_rows(std::span<const int32_t> seq_start) {
  TokenRows packed;
  int64_t longest = 1;
  for (size_t i = 0; i + 1 < seq_start.size(); ++i) {
    BERTHA_CHECK(0 <= seq_start[i] && seq_start[i] <= seq_start[i + 1], "sequence {} from {} to {}",
                 i, seq_start[i], seq_start[i + 1]);
    longest = std::max<int64_t>(longest, seq_start[i + 1] - seq_start[i]);
  }
  packed.shape.length = rounded_length(longest);
  std::vector<int64_t> filled;  // slots of each row
  size_t first_open = 0;        // rows before it are full
  for (size_t i = 0; i + 1 < seq_start.size(); ++i) {
    const int64_t length = seq_start[i + 1] - seq_start[i];
    if (length == 0) {
      packed.first_slot.push_back(0);
      continue;
    }
    size_t row = first_open;
    while (row < filled.size() && filled[row] + length > packed.shape.length) ++row;
    if (row == filled.size()) filled.push_back(0);
    packed.first_slot.push_back(static_cast<int64_t>(row) * packed.shape.length + filled[row]);
    filled[row] += length;
    while (first_open < filled.size() && filled[first_open] == packed.shape.length) ++first_open;
  }
  packed.shape.rows = rounded_rows(std::max<int64_t>(std::ssize(filled), 1));
  return packed;
}

std::vector<int32_t> tokens_of_slots(const TokenRows& rows, std::span<const int32_t> seq_start) {
  std::vector<int32_t> tokens(static_cast<size_t>(rows.shape.slots()), 0);
  for (size_t i = 0; i < rows.first_slot.size(); ++i) {
    auto slot = static_cast<size_t>(rows.first_slot[i]);
    for (int32_t token = seq_start[i]; token < seq_start[i + 1]; ++token) tokens[slot++] = token;
  }
  return tokens;
}

std::vector<int32_t> slots_of_tokens(const TokenRows& rows, std::span<const int32_t> seq_start,
                                     int64_t tokens) {
  std::vector<int32_t> slots(static_cast<size_t>(tokens), 0);
  for (size_t i = 0; i < rows.first_slot.size(); ++i) {
    BERTHA_CHECK(seq_start[i + 1] <= tokens, "sequence {} ends at {} of {} tokens", i,
                 seq_start[i + 1], tokens);
    auto slot = static_cast<int32_t>(rows.first_slot[i]);
    for (int32_t token = seq_start[i]; token < seq_start[i + 1]; ++token) {
      slots[static_cast<size_t>(token)] = slot++;
    }
  }
  return slots;
}

}  // namespace bertha::ops
