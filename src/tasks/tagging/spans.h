#pragma once

// Spans of labelled words, and their precision, recall and F1, as the Python package seqeval 1.2.2
// counts them in its default mode, which run_ner.py of transformers uses. It reads IOB1, IOB2,
// IOE1, IOE2 and BIOES, and takes a label without a prefix or an I- without a B- as conlleval does.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tasks/hit_counts.h"

namespace bertha::tasks {

/// Words [begin, end) of one type: "PER". A label without a type ("B") has the type "_".
struct Span {
  std::string type;
  int64_t begin = 0;
  int64_t end = 0;
  auto operator<=>(const Span&) const = default;
};

/// The spans of a sequence of labels, in their order. No label is empty.
std::vector<Span> find_spans(std::span<const std::string> labels);

/// A predicted span is right when its words and its type are those of a true one.
struct SpanScores {
  std::vector<HitCounts> types;  ///< in the order of their names
  HitCounts all;                 ///< over all types (micro average)
  double accuracy = 0;           ///< of the labels of words
};

/// The labels of the words of a sentence.
using Labels = std::vector<std::string>;

/// Both have the same sentences with the same numbers of words.
SpanScores score_spans(std::span<const Labels> truth, std::span<const Labels> predicted);

}  // namespace bertha::tasks
