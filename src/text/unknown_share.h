#pragma once

// The share of the unknown token among the tokens of a text. A large share shows a wrong
// vocabulary.

#include <cstdint>
#include <span>
#include <string>

#include "text/tokenizer.h"

namespace bertha::text {

struct UnknownShare {
  int64_t tokens = 0;
  int64_t unknown = 0;

  /// Counts the tokens of a text without special tokens. Several calls add up.
  void add(std::span<const int32_t> ids, int32_t unknown_id);
  UnknownShare& operator+=(const UnknownShare& other);
  double share() const;
  /// "3 of 1200 tokens (0.25 %) are [UNK]".
  std::string text(const Tokenizer& tokenizer) const;
  /// A line with the likely cause when over 5 % are unknown, else empty. `source` is the text's
  /// name.
  std::string warning(const Tokenizer& tokenizer, const std::string& source) const;

  static constexpr double kSuspect = 0.05;
};

}  // namespace bertha::text
