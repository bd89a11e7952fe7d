#pragma once

// The pre-tokenizers of a tokenizer.json: how a normalized text is split into words. They are those
// of Hugging Face's `tokenizers` package that BERT models use.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "text/unicode.h"

namespace bertha::text {

/// What becomes of a delimiter that splits a text.
enum class SplitBehavior : uint8_t {
  kRemoved,
  kIsolated,            ///< a word of its own
  kMergedWithPrevious,  ///< joins the word before it
  kMergedWithNext,      ///< joins the word behind it
  kContiguous           ///< a run of delimiters is one word
};

struct PreTokenizer {
  enum class Kind : uint8_t {
    kWhiteSpace,    ///< delimiters are white space
    kPunctuation,   ///< delimiters are punctuation
    kDigits,        ///< delimiters are digits and other numbers
    kNotWords,      ///< keeps runs of \w, and runs of what is neither \w nor white space
    kString,        ///< delimiters are the occurrences of `pattern`
    kStringInverse  ///< delimiters are what is between the occurrences of `pattern`
  };
  Kind kind = Kind::kWhiteSpace;
  SplitBehavior behavior = SplitBehavior::kRemoved;
  std::u32string pattern{};
};

/// Letters [begin, end).
struct LetterRange {
  size_t begin = 0;
  size_t end = 0;
  bool operator==(const LetterRange&) const = default;
};

/// Splits `letters` with each pre-tokenizer in turn. Without any the text is one word. No word is
/// empty.
std::vector<LetterRange> split_words(std::span<const PreTokenizer> pre_tokenizers,
                                     std::span<const Letter> letters);

}  // namespace bertha::text
