#pragma once

// Added tokens of a tokenizer: strings that are found in a text as a whole, before it is split into
// words. They follow `added_tokens` of Hugging Face's `tokenizers` package.

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "text/pre_tokenizer.h"
#include "text/unicode.h"

namespace bertha::text {

struct AddedToken {
  std::string content{};
  int32_t id = -1;
  bool single_word = false;  ///< not inside a word
  bool lstrip = false;       ///< takes the white space before it
  bool rstrip = false;       ///< takes the white space behind it
  bool normalized = false;   ///< found in the normalized text, by its normalized content
  bool special = true;
  bool operator==(const AddedToken&) const = default;
};

/// Finds strings in a text: the leftmost first, the longest of those that start at one place. It
/// holds them as a trie, so a search takes at most as many steps a letter as the longest has.
class AddedTokenMatcher {
 public:
  /// Adds a string. `token` must outlive the matcher. An empty string is left out.
  void add(const std::vector<Letter>& content, const AddedToken& token);

  struct Segment {
    LetterRange range{};
    const AddedToken* token = nullptr;  ///< null: text between tokens
  };
  /// The text in its order, cut into tokens and what is between. No segment is empty.
  std::vector<Segment> split(std::span<const Letter> letters) const;

 private:
  struct Match {
    LetterRange range{};
    const AddedToken* token = nullptr;
  };
  Match match_at(std::span<const Letter> letters, size_t begin) const;

  std::unordered_map<uint64_t, uint32_t> children_;    // by node and code point
  std::vector<const AddedToken*> tokens_ = {nullptr};  // by node; the first is the root
};

}  // namespace bertha::text
