#pragma once

// Turns lines of text into the lines that `bertha tokenize` prints.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace bertha::text {

/// Tokenizes one line at a time. A line that is a JSON object with a string "text", as a JSONL
/// corpus has it, stands for that text.
class LineTokenizer {
 public:
  /// `tokenizer` must outlive it. With `jsonl` an output line is {"ids", "tokens", "offsets"},
  /// offsets in code points of the text; else ids and pieces with a tab between.
  LineTokenizer(const Tokenizer& tokenizer, bool jsonl) : tokenizer_(tokenizer), jsonl_(jsonl) {}

  /// Appends the output line of an input line, which comes without its line end.
  void run(std::string_view line, std::string& out);

 private:
  std::string_view piece(size_t i) const { return tokenizer_.vocabulary().piece(ids_[i]); }
  void write_plain(std::string& out) const;
  void write_json(std::string& out) const;

  const Tokenizer& tokenizer_;
  bool jsonl_;
  std::vector<int32_t> ids_;
  std::vector<TokenOffset> offsets_;
};

}  // namespace bertha::text
