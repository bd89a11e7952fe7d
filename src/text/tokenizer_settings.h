#pragma once

// Everything that a model's folder says about its tokenizer, apart from the vocabulary.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "text/added_tokens.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/sequence_template.h"
#include "text/vocabulary.h"

namespace bertha::text {

/// The contents of the special tokens.
struct SpecialNames {
  std::string pad = "[PAD]";
  std::string unk = "[UNK]";
  std::string cls = "[CLS]";
  std::string sep = "[SEP]";
  std::string mask = "[MASK]";
};

struct TokenizerSettings {
  std::vector<Normalizer> normalizers = {BertNormalizer{}};
  std::vector<PreTokenizer> pre_tokenizers = bert_pre_tokenizers();
  std::string continuing_prefix = "##";
  int32_t max_input_chars_per_word = 100;
  std::vector<AddedToken> added_tokens{};
  SequenceTemplate sequence{};
  std::optional<Truncation> truncation{};
  bool truncate_left = false;  ///< truncation_side, for every truncation
  SpecialNames names{};
  int64_t model_pieces = 0;  ///< the vocabulary's later pieces are added tokens alone
  std::optional<int64_t> model_max_length{};

  /// The parts of a tokenizer.json as they were read, for writing them again.
  struct Sections {
    std::string normalizer{};
    std::string pre_tokenizer{};
    std::string post_processor{};
    std::string decoder{};
    std::string truncation = "null";
    std::string padding = "null";
  };
  std::optional<Sections> sections{};  ///< not set for a tokenizer that vocab.txt describes

  /// White space, then punctuation.
  static std::vector<PreTokenizer> bert_pre_tokenizers();
  /// The settings that a vocab.txt stands for.
  static TokenizerSettings plain(const Vocabulary& vocabulary, const BertNormalizer& normalizer);
  /// Whether a vocab.txt and a tokenizer_config.json can say the same: WordPiece with ## behind
  /// BERT's normalizer and pre-tokenizer.
  bool is_bert() const;
  /// Whether they are BERT's own, cased or uncased: what Tokenizer's fast path does.
  bool is_plain(const Vocabulary& vocabulary) const;
  /// The only normalizer when it is a BertNormalizer, else null.
  const BertNormalizer* bert_normalizer() const;
  /// Whether the normalizers convert to lower case.
  bool lowers() const;
};

}  // namespace bertha::text
