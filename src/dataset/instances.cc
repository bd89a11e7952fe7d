#include "dataset/instances.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "cpython/random.h"

namespace bertha::dataset {
namespace {

constexpr int64_t kSpecialTokens = 3;        // [CLS], [SEP], [SEP]
constexpr int64_t kMaxInstanceTokens = 512;  // limit of the reference's tokenizer, max_len

void check_probability(const char* option, double value) {
  if (!(value >= 0 && value <= 1)) fail("--{} {}: expected 0 to 1", option, value);
}

}  // namespace

void check_options(const InstanceOptions& options) {
  if (options.max_seq_length < kSpecialTokens + 2 || options.max_seq_length > UINT16_MAX) {
    fail("--max-seq-length {}: expected {} to {}", options.max_seq_length, kSpecialTokens + 2,
         UINT16_MAX);
  }
  if (options.max_predictions_per_seq < 1 || options.max_predictions_per_seq > UINT16_MAX) {
    fail("--max-predictions-per-seq {}: expected 1 to {}", options.max_predictions_per_seq,
         UINT16_MAX);
  }
  if (options.dupe_factor < 1) fail("--dupe-factor {}: expected 1 or more", options.dupe_factor);
  check_probability("masked-lm-prob", options.masked_lm_prob);
  check_probability("short-seq-prob", options.short_seq_prob);
}

/// Draws the instances of a set. Every random draw occurs at the same point as in the reference.
class InstanceBuilder {
 public:
  InstanceBuilder(InstanceSet& set, std::span<const int32_t> replacements)
      : set_(set),
        corpus_(set.corpus_),
        options_(set.options_),
        replacements_(replacements),
        random_(set.options_.random_seed),
        order_(static_cast<size_t>(set.corpus_.documents())),
        max_tokens_(set.options_.max_seq_length - kSpecialTokens),
        text_has_specials_(std::ranges::any_of(corpus_.ids, [&](int32_t token) {
          return token == set.special_.cls || token == set.special_.sep;
        })) {}

  void build() {
    std::iota(order_.begin(), order_.end(), 0);
    random_.shuffle(std::span(order_));
    for (int64_t pass = 0; pass < options_.dupe_factor; ++pass) {
      for (size_t index = 0; index < order_.size(); ++index) add_document(index);
    }
    random_.shuffle(std::span(set_.instances_));
  }

 private:
  using Instance = InstanceSet::Instance;

  /// A range of segments or of tokens.
  struct Range {
    int64_t begin = 0;
    int64_t end = 0;
    int64_t size() const { return end - begin; }
  };

  Range segments_of(size_t index) const {
    const auto document = static_cast<size_t>(order_[index]);
    return {corpus_.document_start[document], corpus_.document_start[document + 1]};
  }
  Range tokens_of(const Range& segments) const {
    return {corpus_.segment_start[static_cast<size_t>(segments.begin)],
            corpus_.segment_start[static_cast<size_t>(segments.end)]};
  }

  void add_document(size_t index);
  int64_t add_instance(size_t index, const Range& chunk, int64_t target_tokens);
  Range random_run(size_t index, int64_t target_tokens, bool& other_document);
  void truncate(Range& a, Range& b);
  void find_candidates(const Instance& instance);
  void mask(Instance& instance);
  int32_t replacement_of(int32_t token);

  InstanceSet& set_;
  const Corpus& corpus_;
  const InstanceOptions& options_;
  std::span<const int32_t> replacements_;
  cpython::PythonRandom random_;
  std::vector<int64_t> order_;  ///< the shuffled documents
  const int64_t max_tokens_;
  const bool text_has_specials_;
  std::vector<uint16_t> candidates_;  ///< of the current instance
  std::array<int32_t, kMaxInstanceTokens>
      input_tokens_;  ///< of the current instance, after masking
};

void InstanceBuilder::add_document(size_t index) {
  int64_t target_tokens = max_tokens_;
  if (random_.random() < options_.short_seq_prob) target_tokens = random_.randint(2, max_tokens_);
  const Range document = segments_of(index);
  Range chunk{document.begin, document.begin};
  while (chunk.end < document.end) {
    ++chunk.end;
    if (chunk.end < document.end && tokens_of(chunk).size() < target_tokens) continue;
    const int64_t next = add_instance(index, chunk, target_tokens);
    chunk = {next, next};
  }
}

/// Adds an instance from the chunk and returns the first segment that it did not use.
int64_t InstanceBuilder::add_instance(size_t index, const Range& chunk, int64_t target_tokens) {
  Range run_a{chunk.begin, chunk.begin + 1};
  if (chunk.size() >= 2) run_a.end = chunk.begin + random_.randint(1, chunk.size() - 1);
  Range a = tokens_of(run_a);
  Range b;
  int64_t next = chunk.end;
  bool random_next = false;
  if (chunk.size() == 1 || random_.random() < 0.5) {
    b = random_run(index, target_tokens - a.size(), random_next);
    next = run_a.end;
  } else {
    b = tokens_of({run_a.end, chunk.end});
  }
  truncate(a, b);

  Instance instance;
  instance.a_begin = a.begin;
  instance.b_begin = b.begin;
  instance.a_length = static_cast<int32_t>(a.size());
  instance.b_length = static_cast<int32_t>(b.size());
  instance.random_next = random_next;
  if (instance.length() > kMaxInstanceTokens) {
    fail("--max-seq-length {}: an instance has {} tokens, at most {} are possible",
         options_.max_seq_length, instance.length(), kMaxInstanceTokens);
  }
  mask(instance);
  set_.instances_.push_back(instance);
  return next;
}

/// A range from a random document, as long as the second segment should be or up to the end of the
/// document. Makes up to ten draws to find another document. If all draws give the same document,
/// the range is taken from it and the pair counts as "not random".
InstanceBuilder::Range InstanceBuilder::random_run(size_t index, int64_t target_tokens,
                                                   bool& other_document) {
  const int64_t last = corpus_.documents() - 1;
  size_t chosen = index;
  for (int attempt = 0; attempt < 10 && chosen == index; ++attempt) {
    chosen = static_cast<size_t>(random_.randint(0, last));
  }
  other_document = chosen != index;
  const Range document = segments_of(chosen);
  Range run;
  run.begin = document.begin + random_.randint(0, document.size() - 1);
  run.end = run.begin + 1;
  while (run.end < document.end && tokens_of(run).size() < target_tokens) ++run.end;
  return tokens_of(run);
}

void InstanceBuilder::truncate(Range& a, Range& b) {
  while (a.size() + b.size() > max_tokens_) {
    Range& longer = a.size() > b.size() ? a : b;
    if (random_.random() < 0.5) {
      ++longer.begin;
    } else {
      --longer.end;
    }
  }
}

int32_t InstanceBuilder::replacement_of(int32_t token) {
  if (random_.random() < 0.8) return set_.special_.mask;
  if (random_.random() < 0.5) return token;
  return replacements_[random_.below(static_cast<uint32_t>(replacements_.size()))];
}

/// Positions that may be masked: all except special tokens, which may also occur as words of the
/// text.
void InstanceBuilder::find_candidates(const Instance& instance) {
  candidates_.resize(static_cast<size_t>(instance.a_length) +
                     static_cast<size_t>(instance.b_length));
  const auto first_of_b = candidates_.begin() + instance.a_length;
  std::iota(candidates_.begin(), first_of_b, uint16_t{1});
  std::iota(first_of_b, candidates_.end(), static_cast<uint16_t>(instance.a_length + 2));
  if (!text_has_specials_) return;
  std::erase_if(candidates_, [&](uint16_t position) {
    const int32_t token = set_.token_at(instance, position);
    return token == set_.special_.cls || token == set_.special_.sep;
  });
}

void InstanceBuilder::mask(Instance& instance) {
  find_candidates(instance);
  random_.shuffle(std::span(candidates_));

  // nearbyint rounds half to even, like Python's round().
  const auto wanted = static_cast<int64_t>(
      std::nearbyint(static_cast<double>(instance.length()) * options_.masked_lm_prob));
  const auto count =
      static_cast<size_t>(std::min({options_.max_predictions_per_seq, std::max<int64_t>(1, wanted),
                                    static_cast<int64_t>(candidates_.size())}));
  std::array<uint64_t, kMaxInstanceTokens / 64> is_masked{};
  for (const uint16_t position : std::span(candidates_).first(count)) {
    is_masked[position / 64] |= uint64_t{1} << position % 64;
    input_tokens_[position] = replacement_of(set_.token_at(instance, position));
  }
  instance.masked_begin = static_cast<int64_t>(set_.masked_positions_.size());
  instance.masked_count = static_cast<int32_t>(count);
  for (size_t word = 0; word < is_masked.size(); ++word) {
    for (uint64_t left = is_masked[word]; left != 0; left &= left - 1) {
      const size_t position = word * 64 + static_cast<size_t>(std::countr_zero(left));
      set_.masked_positions_.push_back(static_cast<uint16_t>(position));
      set_.masked_tokens_.push_back(input_tokens_[position]);
    }
  }
}

InstanceSet::InstanceSet(Corpus corpus, const text::Vocabulary& vocabulary,
                         const InstanceOptions& options)
    : corpus_(std::move(corpus)), options_(options), special_(vocabulary.specials()) {
  check_options(options);
  InstanceBuilder(*this, vocabulary.distinct_ids()).build();
}

int32_t InstanceSet::token_at(const Instance& instance, int64_t position) const {
  const int64_t in_b = position - instance.a_length - 2;
  const int64_t token = in_b < 0 ? instance.a_begin + position - 1 : instance.b_begin + in_b;
  return corpus_.ids[static_cast<size_t>(token)];
}

ShardShape InstanceSet::shape() const {
  return {size(), options_.max_seq_length, options_.max_predictions_per_seq};
}

void InstanceSet::fill_row(int64_t row, const ShardRow& out) const {
  const Instance& instance = instances_[static_cast<size_t>(row)];
  const auto a =
      std::span(corpus_.ids)
          .subspan(static_cast<size_t>(instance.a_begin), static_cast<size_t>(instance.a_length));
  const auto b =
      std::span(corpus_.ids)
          .subspan(static_cast<size_t>(instance.b_begin), static_cast<size_t>(instance.b_length));
  const auto length = static_cast<size_t>(instance.length());
  out.input_ids[0] = special_.cls;
  std::ranges::copy(a, out.input_ids.begin() + 1);
  out.input_ids[a.size() + 1] = special_.sep;
  std::ranges::copy(b, out.input_ids.begin() + static_cast<ptrdiff_t>(a.size()) + 2);
  out.input_ids[length - 1] = special_.sep;
  std::ranges::fill(out.input_mask.first(length), int8_t{1});
  std::ranges::fill(out.segment_ids.subspan(a.size() + 2, b.size() + 1), int8_t{1});
  for (size_t i = 0; i < static_cast<size_t>(instance.masked_count); ++i) {
    const size_t masked = static_cast<size_t>(instance.masked_begin) + i;
    const uint16_t position = masked_positions_[masked];
    out.masked_lm_positions[i] = position;
    out.masked_lm_ids[i] = out.input_ids[position];
    out.input_ids[position] = masked_tokens_[masked];
  }
  out.next_sentence_label = instance.random_next ? 1 : 0;
}

}  // namespace bertha::dataset
