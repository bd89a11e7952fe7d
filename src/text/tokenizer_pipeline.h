#pragma once

// A tokenizer in the stages of a tokenizer.json: added tokens, normalizers, pre-tokenizers,
// WordPiece. It does what any settings say; text::Tokenizer has a faster way for BERT's own.

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "text/piece_trie.h"
#include "text/tokenizer.h"
#include "text/tokenizer_settings.h"

namespace bertha::text {

/// Immutable after construction: several threads may encode at once.
class TokenizerPipeline {
 public:
  /// `vocabulary` must outlive it. Throws Error when the vocabulary lacks the unknown token.
  TokenizerPipeline(const Vocabulary& vocabulary,
                    std::shared_ptr<const TokenizerSettings> settings);

  /// Appends the ids of `text` without what the template adds, and the origin of each token where
  /// `offsets` is not null.
  void encode(std::string_view text, std::vector<int32_t>& ids,
              std::vector<TokenOffset>* offsets) const;

 private:
  class Output;
  void encode_text(std::vector<Letter> letters, Output& output) const;
  void encode_word(std::span<const Letter> word, Output& output) const;

  std::shared_ptr<const TokenizerSettings> settings_;
  PieceTrie trie_;
  int32_t unk_;
  AddedTokenMatcher raw_;         // found in the text as it stands
  AddedTokenMatcher normalized_;  // found in the normalized text
};

}  // namespace bertha::text
