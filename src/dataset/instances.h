#pragma once

// Training instances of BERT's pre-training: pairs of text runs for next-sentence prediction, with
// masked tokens. The draws are those of the recipe's create_pretraining_data.py, in its order, from
// CPython's generator: same sentences, vocabulary and seed give the same shard, element for element
// (Devlin et al., "BERT", 2019, appendix A, describes the procedure).
//
// Nothing is copied while drawing: both runs of an instance are ranges of the corpus, since cutting
// only takes tokens off their ends. An instance takes 40 bytes and 6 a masked token.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dataset/hdf5_shard.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace bertha::dataset {

/// Documents of segments (sentences) of token ids, end to end. Neither is empty.
struct Corpus {
  std::vector<int32_t> ids;
  std::vector<int64_t> segment_start{0};   ///< [segments+1] first token
  std::vector<int64_t> document_start{0};  ///< [documents+1] first segment

  int64_t segments() const { return static_cast<int64_t>(segment_start.size()) - 1; }
  int64_t documents() const { return static_cast<int64_t>(document_start.size()) - 1; }
};

/// Reads text with one sentence a line and blank lines between documents. Lines end as in Python's
/// universal newlines and are blank as in str.strip(); a line without tokens is passed over; a
/// document that a file leaves open goes on in the next. Throws Error when a file cannot be read,
/// is not UTF-8, or when there is no document at all.
Corpus read_corpus(std::span<const std::string> files, const text::Tokenizer& tokenizer,
                   int64_t threads);

struct InstanceOptions {
  int64_t max_seq_length = 128;
  int64_t max_predictions_per_seq = 20;
  int64_t dupe_factor = 10;  ///< passes over the documents
  double masked_lm_prob = 0.15;
  double short_seq_prob = 0.1;
  int64_t random_seed = 12345;
};

/// Throws Error naming the option that is out of range.
void check_options(const InstanceOptions& options);

/// The instances of a corpus in their final, shuffled order.
class InstanceSet {
 public:
  /// Throws Error when the vocabulary lacks a special token, or when an instance has more than 512
  /// tokens (the recipe's limit).
  InstanceSet(Corpus corpus, const text::Vocabulary& vocabulary, const InstanceOptions& options);

  int64_t size() const { return static_cast<int64_t>(instances_.size()); }
  ShardShape shape() const;
  /// The values of row `row` of the shard.
  void fill_row(int64_t row, const ShardRow& out) const;

 private:
  friend class InstanceBuilder;

  /// [CLS] A [SEP] B [SEP], A and B being ranges of corpus_.ids.
  struct Instance {
    int64_t a_begin = 0;
    int64_t b_begin = 0;
    int64_t masked_begin = 0;  ///< in masked_positions_ and masked_tokens_
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
  std::vector<uint16_t> masked_positions_;  ///< rising in each instance
  std::vector<int32_t> masked_tokens_;      ///< what stands there in the input
};

}  // namespace bertha::dataset
