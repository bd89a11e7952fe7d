#pragma once

// Training instances of BERT's pre-training: pairs of text ranges for next-sentence prediction,
// with masked tokens. The random draws are those of the reference's create_pretraining_data.py, in
// its order, from CPython's generator: equal sentences, vocabulary and seed give an equal shard,
// element for element (the procedure is in Devlin et al., "BERT", 2019, appendix A).
//
// No tokens are copied while instances are drawn: both ranges of an instance are ranges of the
// corpus, because truncation only removes tokens at their ends. An instance takes 40 bytes, plus 6
// per masked token.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dataset/hdf5_shard.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace bertha::dataset {

/// Documents of segments (sentences) of token ids, end to end. No document and no segment is empty.
struct Corpus {
  std::vector<int32_t> ids;
  std::vector<int64_t> segment_start{0};   ///< [segments+1] first token
  std::vector<int64_t> document_start{0};  ///< [documents+1] first segment

  int64_t segments() const { return static_cast<int64_t>(segment_start.size()) - 1; }
  int64_t documents() const { return static_cast<int64_t>(document_start.size()) - 1; }
};

/// Reads text with one sentence per line and blank lines between documents. Line ends are those of
/// Python's universal newlines, and blank lines those of str.strip(). A line without tokens is
/// skipped. A document that is open at the end of a file continues in the next file. Throws Error
/// when a file cannot be read or is not UTF-8, or when there is no document.
Corpus read_corpus(std::span<const std::string> files, const text::Tokenizer& tokenizer,
                   int64_t threads);

struct InstanceOptions {
  int64_t max_seq_length = 128;
  int64_t max_predictions_per_seq = 20;
  int64_t dupe_factor = 10;  ///< number of passes over the documents
  double masked_lm_prob = 0.15;
  double short_seq_prob = 0.1;
  int64_t random_seed = 12345;
};

/// Throws Error that names the option that is out of range.
void check_options(const InstanceOptions& options);

/// The instances of a corpus in their final, shuffled order.
class InstanceSet {
 public:
  /// Throws Error when the vocabulary lacks a special token, or when an instance has more than 512
  /// tokens (the limit of the reference).
  InstanceSet(Corpus corpus, const text::Vocabulary& vocabulary, const InstanceOptions& options);

  int64_t size() const { return static_cast<int64_t>(instances_.size()); }
  ShardShape shape() const;
  /// Writes the values of row `row` of the shard.
  void fill_row(int64_t row, const ShardRow& out) const;

 private:
  friend class InstanceBuilder;

  /// [CLS] A [SEP] B [SEP], where A and B are ranges of corpus_.ids.
  struct Instance {
    int64_t a_begin = 0;
    int64_t b_begin = 0;
    int64_t masked_begin = 0;  ///< index into masked_positions_ and masked_tokens_
    int32_t a_length = 0;
    int32_t b_length = 0;
    int32_t masked_count = 0;
    bool random_next = false;

    int64_t length() const { return int64_t{a_length} + b_length + 3; }
  };

  int32_t token_at(const Instance& instance, int64_t position) const;

  Corpus corpus_;
  InstanceOptions options_;
  text::SpecialIds special_;
  std::vector<Instance> instances_;
  std::vector<uint16_t> masked_positions_;  ///< ascending within each instance
  std::vector<int32_t> masked_tokens_;      ///< the input tokens at these positions
};

}  // namespace bertha::dataset
