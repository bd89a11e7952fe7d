#pragma once

// Trains a WordPiece vocabulary as Hugging Face's WordPieceTrainer does: byte-pair merges (Sennrich
// et al. 2016, "Neural machine translation of rare words with subword units") over counted words,
// characters that continue a word being pieces of their own ("##x").

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/unicode.h"

namespace bertha::text {

/// How often each word occurs, words being what the tokenizer cuts into pieces.
class WordCounts {
 public:
  explicit WordCounts(bool lower_case, TokenRules rules = TokenRules::kHf);

  /// Counts the words of a text, which ends where a word may end. A word over kMaxWordBytes is no
  /// word: it would be [UNK] in any model.
  void add(std::string_view text);
  void add(const WordCounts& other);

  const std::unordered_map<std::string, int64_t>& counts() const { return counts_; }

  static constexpr size_t kMaxWordBytes = 1000;

 private:
  bool lower_case_;
  const CharacterRules* rules_;
  std::unordered_map<std::string, int64_t> counts_;
};

struct TrainerOptions {
  int64_t vocab_size = 30522;
  int64_t min_frequency = 2;      ///< a pair seen less often is not merged
  int64_t limit_alphabet = 1000;  ///< the most frequent characters are kept, the others dropped
  /// The first pieces, in this order.
  std::vector<std::string> initial_pieces = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
};

/// The pieces in order of their ids: the initial ones, the alphabet by code point, the characters
/// that continue words, the merges. May be fewer than asked for when no pair is frequent enough;
/// more when the alphabet alone is. Ties: the less frequent of two characters goes first, of equal
/// ones the higher code point; of two pairs equally frequent the one with lower ids is merged.
/// Hugging Face gives "##x" ids in the order of a random hash map and breaks ties by them; here
/// words are taken in byte order, so that equal text gives an equal vocabulary. Throws Error when
/// there are no words or an option is out of range.
std::vector<std::string> train_wordpieces(const WordCounts& words, const TrainerOptions& options);

}  // namespace bertha::text
