#include "text/wordpiece_trainer.h"

#include <algorithm>
#include <queue>
#include <span>
#include <utility>

#include "core/error.h"
#include "core/utf8.h"
#include "text/words.h"

namespace bertha::text {

namespace {

using Piece = int32_t;

// Two neighbours, the left one in the upper half, so that the number orders as the pair does.
using Pair = uint64_t;
Pair pair_of(Piece left, Piece right) {
  return (static_cast<uint64_t>(left) << 32) | static_cast<uint64_t>(right);
}
Piece left_of(Pair pair) {
  return static_cast<Piece>(pair >> 32);
}
Piece right_of(Pair pair) {
  return static_cast<Piece>(pair & 0xFFFFFFFFU);
}

struct PairHash {
  size_t operator()(Pair pair) const {
    pair *= 0x9E3779B97F4A7C15U;
    return static_cast<size_t>(pair ^ (pair >> 32));
  }
};

// A pair to merge: its count when it was queued, and the words that contained it then.
struct Candidate {
  Pair pair;
  int64_t count;
  std::vector<int32_t> words;
};

// The queue returns the most frequent pair first, and among equals the lowest pair.
struct Later {
  bool operator()(const Candidate& a, const Candidate& b) const {
    return a.count != b.count ? a.count < b.count : a.pair > b.pair;
  }
};

class Trainer {
 public:
  Trainer(const WordCounts& words, const TrainerOptions& options);
  std::vector<std::string> train();

 private:
  struct Word {
    int64_t count;
    std::vector<Piece> pieces;
  };
  using Sites = std::unordered_map<Pair, std::vector<int32_t>, PairHash>;

  Piece add(const std::string& piece);
  void add_alphabet(const std::unordered_map<std::string, int64_t>& counts);
  void add_word(const std::string& text, int64_t count);
  void count_pairs();
  std::string joined(Pair pair) const;
  void merge(const Candidate& candidate, Piece joined);
  void merge_word(int32_t index, Pair pair, Piece joined);
  void change(Pair pair, int64_t by, int32_t word);
  void queue_sites();

  const TrainerOptions& options_;
  std::vector<std::string> pieces_;
  std::unordered_map<std::string, Piece> ids_;
  std::vector<Word> words_;
  std::unordered_map<Pair, int64_t, PairHash> counts_;
  Sites sites_;  // words where the current merge made new pairs
  std::priority_queue<Candidate, std::vector<Candidate>, Later> queue_;
};

Trainer::Trainer(const WordCounts& words, const TrainerOptions& options) : options_(options) {
  for (const std::string& piece : options.initial_pieces) add(piece);
  add_alphabet(words.counts());
  std::vector<const std::pair<const std::string, int64_t>*> sorted;
  sorted.reserve(words.counts().size());
  for (const auto& entry : words.counts()) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(),
            [](const auto* a, const auto* b) { return a->first < b->first; });
  words_.reserve(sorted.size());
  for (const auto* entry : sorted) add_word(entry->first, entry->second);
}

Piece Trainer::add(const std::string& piece) {
  const auto [entry, added] = ids_.try_emplace(piece, static_cast<Piece>(pieces_.size()));
  if (added) pieces_.push_back(piece);
  return entry->second;
}

template <typename Visit>
void for_each_character(std::string_view text, const Visit& visit) {
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const Decoded decoded = decode_utf8(p, end);
    visit(decoded.code_point, std::string(p, static_cast<size_t>(decoded.length)));
    p += decoded.length;
  }
}

void Trainer::add_alphabet(const std::unordered_map<std::string, int64_t>& counts) {
  std::unordered_map<char32_t, int64_t> seen;
  for (const auto& [word, count] : counts) {
    for_each_character(word, [&seen, n = count](char32_t c, const std::string&) { seen[c] += n; });
  }
  std::vector<std::pair<char32_t, int64_t>> kept(seen.begin(), seen.end());
  std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  kept.resize(std::min(kept.size(), static_cast<size_t>(options_.limit_alphabet)));
  std::sort(kept.begin(), kept.end());
  for (const auto& [character, count] : kept) {
    std::string piece;
    append_utf8(character, piece);
    add(piece);
  }
}

void Trainer::add_word(const std::string& text, int64_t count) {
  Word word{count, {}};
  bool first = true;
  for_each_character(text, [&](char32_t, const std::string& character) {
    if (const auto known = ids_.find(character); known != ids_.end()) {
      word.pieces.push_back(first ? known->second : add("##" + character));
    }
    first = false;
  });
  words_.push_back(std::move(word));
}

void Trainer::change(Pair pair, int64_t by, int32_t word) {
  counts_[pair] += by * words_[static_cast<size_t>(word)].count;
  if (by < 0) return;
  std::vector<int32_t>& sites = sites_[pair];
  if (sites.empty() || sites.back() != word) sites.push_back(word);
}

void Trainer::count_pairs() {
  for (size_t w = 0; w < words_.size(); ++w) {
    const std::vector<Piece>& pieces = words_[w].pieces;
    for (size_t i = 0; i + 1 < pieces.size(); ++i) {
      change(pair_of(pieces[i], pieces[i + 1]), 1, static_cast<int32_t>(w));
    }
  }
  queue_sites();
}

void Trainer::queue_sites() {
  for (auto& [pair, words] : sites_) {
    if (const int64_t count = counts_[pair]; count > 0) {
      queue_.push({pair, count, std::move(words)});
    }
  }
  sites_.clear();
}

std::string Trainer::joined(Pair pair) const {
  const std::string& left = pieces_[static_cast<size_t>(left_of(pair))];
  const std::string& right = pieces_[static_cast<size_t>(right_of(pair))];
  return left + (right.starts_with("##") ? right.substr(2) : right);
}

// Replaces the pair in one word, from left to right, and updates the counts of the neighbouring
// pairs. The count of the merged pair is not changed: its words were all queued with it, or a later
// candidate brings them again.
void Trainer::merge_word(int32_t index, Pair pair, Piece joined) {
  std::vector<Piece>& pieces = words_[static_cast<size_t>(index)].pieces;
  const Piece left = left_of(pair);
  const Piece right = right_of(pair);
  size_t out = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i] != left || i + 1 == pieces.size() || pieces[i + 1] != right) {
      pieces[out++] = pieces[i];
      continue;
    }
    if (out > 0) {
      change(pair_of(pieces[out - 1], left), -1, index);
      change(pair_of(pieces[out - 1], joined), 1, index);
    }
    ++i;
    if (i + 1 < pieces.size()) {
      change(pair_of(right, pieces[i + 1]), -1, index);
      change(pair_of(joined, pieces[i + 1]), 1, index);
    }
    pieces[out++] = joined;
  }
  pieces.resize(out);
}

void Trainer::merge(const Candidate& candidate, Piece joined) {
  for (const int32_t word : candidate.words) merge_word(word, candidate.pair, joined);
  queue_sites();
}

std::vector<std::string> Trainer::train() {
  count_pairs();
  while (static_cast<int64_t>(pieces_.size()) < options_.vocab_size && !queue_.empty()) {
    // Moving from top() is safe: pop() removes the element before the queue compares again.
    Candidate top = std::move(const_cast<Candidate&>(queue_.top()));
    queue_.pop();
    if (const int64_t count = counts_[top.pair]; count != top.count) {
      top.count = count;
      if (count > 0) queue_.push(std::move(top));
      continue;
    }
    if (top.count < options_.min_frequency) break;
    merge(top, add(joined(top.pair)));
  }
  return std::move(pieces_);
}

}  // namespace

WordCounts::WordCounts(bool lower_case, TokenRules rules, std::optional<bool> strip_accents)
    : lower_case_(lower_case),
      strip_accents_(strip_accents.value_or(lower_case)),
      rules_(&CharacterRules::of(rules)) {}

void WordCounts::add(std::string_view text) {
  TextCursor at{text.data(), text.data() + text.size(), 0};
  std::vector<Letter> letters;
  std::string word;
  while (at.p < at.end) {
    const char* const before = at.p;
    read_stretch(*rules_, at, letters, [](const char*) { return false; });
    if (at.p == before) skip_character(at);
    if (!letters.empty()) rules_->change(letters, lower_case_, strip_accents_);
    split_at_punctuation(*rules_, letters, [&](size_t begin, size_t end) {
      word.clear();
      for (size_t i = begin; i < end; ++i) append_utf8(letters[i].code_point, word);
      if (word.size() <= kMaxWordBytes) ++counts_[word];
    });
  }
}

void WordCounts::add(const WordCounts& other) {
  for (const auto& [word, count] : other.counts_) counts_[word] += count;
}

std::vector<std::string> train_wordpieces(const WordCounts& words, const TrainerOptions& options) {
  constexpr int64_t kMostPieces = int64_t{1} << 24;
  if (words.counts().empty()) fail("no words in the text; expected some to train a vocabulary on");
  if (options.vocab_size < 1 || options.vocab_size > kMostPieces) {
    fail("vocab_size is {}; expected 1 to {}", options.vocab_size, kMostPieces);
  }
  if (options.min_frequency < 0) {
    fail("min_frequency is {}; expected 0 or more", options.min_frequency);
  }
  if (options.limit_alphabet < 1) {
    fail("limit_alphabet is {}; expected 1 or more", options.limit_alphabet);
  }
  return Trainer(words, options).train();
}

}  // namespace bertha::text
