#pragma once

// From labelled words to model inputs, as run_ner.py of transformers does it: each word is cut into
// tokens, and its first token stands for it. A sentence that is too long for the model is cut into
// windows of whole words. Neighbouring windows share a quarter of their tokens; of the shared words
// the first half is decided in the earlier window and the rest in the later one, so that each word
// is decided once and has words around it on both sides.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/ragged_batch.h"
#include "text/tokenizer.h"

namespace bertha::tasks {

/// The tokens of W words, without special tokens. A word may have none: white space or control
/// characters alone.
struct WordTokens {
  std::vector<int32_t> ids{};
  std::vector<int32_t> word_start = {0};  ///< [W+1], from 0 to the number of ids

  int64_t words() const { return std::ssize(word_start) - 1; }
};

WordTokens tokens_of_words(std::span<const std::string> words, const text::Tokenizer& tokenizer);
/// Takes the tokenizer's own words: those that it cuts into pieces. `places` receives the origin of
/// each.
WordTokens tokens_of_text(std::string_view text, const text::Tokenizer& tokenizer,
                          std::vector<text::TokenOffset>& places);

/// Words [begin, end) of a sentence, of which [first, last) are decided here.
struct TagWindow {
  int32_t sentence = 0;
  int32_t begin = 0;
  int32_t end = 0;
  int32_t first = 0;
  int32_t last = 0;
};

/// Cuts sentences into windows, and puts windows into batches.
class TagWindows {
 public:
  /// `tokenizer` must outlive the object. A window has at most `max_tokens` tokens with special
  /// tokens. Throws Error when the special tokens leave no room.
  TagWindows(const text::Tokenizer& tokenizer, int64_t max_tokens);

  /// Appends the windows of a sentence. A sentence without words has none.
  void cut(const WordTokens& sentence, int32_t index, std::vector<TagWindow>& windows) const;

  /// Appends the window as a sequence. Of a word that alone is too long, the first tokens are kept.
  /// Returns, for each word that is decided here, the place of its first token from the start of
  /// the batch, or -1 where it has no token.
  std::vector<int32_t> append(const WordTokens& sentence, const TagWindow& window,
                              RaggedBatch& batch) const;

 private:
  /// Tokens of a word that are used.
  int32_t kept(const WordTokens& sentence, int64_t word) const;

  const text::Tokenizer& tokenizer_;
  int32_t room_;         ///< tokens of words in a window
  int32_t leading_ = 0;  ///< special tokens before the text
};

}  // namespace bertha::tasks
