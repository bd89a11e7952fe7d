#pragma once

// The marks of italics ('') and bold (''') in wikitext, by the rules of MediaWiki's doQuotes().

#include <string>
#include <string_view>
#include <vector>

namespace bertha::corpus {

/// Removes the marks of italics and bold from lines. Its buffers are reused.
class QuoteRemover {
 public:
  /// `line` without the marks; apostrophes that are not marks stay. The result is `line` itself or
  /// is valid until the next call.
  std::string_view remove(std::string_view line);

 private:
  /// A run of two or more apostrophes, and how many of them, at its end, are a mark.
  struct Run {
    size_t begin = 0;
    size_t length = 0;
    size_t marks = 0;
  };

  void find_runs(std::string_view line);
  void balance(std::string_view line);

  std::vector<Run> runs_;
  std::string unmarked_;
};

/// Removes the marks from a text that MediaWiki reads apart from the text around it: the label of a
/// link, the result of a template. The other apostrophes become kApostrophe, so that they do not
/// join a mark around the text.
std::string with_own_quotes(std::string text);

/// Replaces each apostrophe by kApostrophe.
std::string without_marks(std::string text);

}  // namespace bertha::corpus
