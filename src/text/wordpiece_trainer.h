#pragma once

// Trains a WordPiece vocabulary as Hugging Face's WordPieceTrainer does: byte-pair merges (Sennrich
// et al. 2016, "Neural machine translation of rare words with subword units") over counted words.
// Characters inside a word are pieces of their own ("##x").

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/unicode.h"

namespace bertha::text {

/// Counts of words, as the tokenizer splits a text into words.
class WordCounts {
 public:
  /// Without `strip_accents` accents go where the text becomes lower case.
  explicit WordCounts(bool lower_case, TokenRules rules = TokenRules::kHf,
                      std::optional<bool> strip_accents = std::nullopt);

  /// Counts the words of a text. The end of the text ends a word. Words over kMaxWordBytes are not
  /// counted, because every model maps them to [UNK].
  void add(std::string_view text);
  void add(const WordCounts& other);

  const std::unordered_map<std::string, int64_t>& counts() const { return counts_; }

  static constexpr size_t kMaxWordBytes = 1000;

 private:
  bool lower_case_;
  bool strip_accents_;
  const CharacterRules* rules_;
  std::unordered_map<std::string, int64_t> counts_;
};

struct TrainerOptions {
  int64_t vocab_size = 30522;
  int64_t min_frequency = 2;      ///< a pair with a lower count is not merged
  int64_t limit_alphabet = 1000;  ///< the most frequent characters are kept, the others dropped
  /// The first pieces, in this order.
  std::vector<std::string> initial_pieces = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
};

/// The pieces in order of their ids: the initial pieces, the alphabet by code point, the characters
/// that continue words ("##x"), the merges. There may be fewer pieces than requested when no pair
/// is frequent enough, and more when the alphabet alone is larger.
/// Ties: the less frequent character is dropped first, and of equally frequent characters the
/// higher code point. Of equally frequent pairs the one with lower ids is merged first. Hugging
/// Face assigns "##x" ids in the random order of a hash map and breaks ties by them; this trainer
/// reads words in byte order, so that equal text gives an equal vocabulary.
/// Throws Error when there are no words or an option is out of range.
std::vector<std::string> train_wordpieces(const WordCounts& words, const TrainerOptions& options);

}  // namespace bertha::text
