#pragma once

// Turns lines of text into the lines that `bertha tokenize` prints.

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace bertha::text {

/// Tokenizes one line at a time. A line that is a JSON object with a string "text", as a JSONL
/// corpus has it, stands for that text.
class LineTokenizer {
 public:
  struct Settings {
    bool jsonl = false;   ///< lines of {"ids", "tokens", "offsets"}; else ids, a tab and pieces
    bool fields = false;  ///< of jsonl: behind the fields of the line, or its text
    /// The input of a model: with special tokens, and cut as the tokenizer's files say.
    bool model_input = false;
  };

  /// `tokenizer` must outlive it. Offsets count code points of the text; special tokens have 0, 0.
  LineTokenizer(const Tokenizer& tokenizer, const Settings& settings)
      : tokenizer_(tokenizer), settings_(settings) {}

  /// Appends the output line of an input line, which comes without its line end.
  void run(std::string_view line, std::string& out);

 private:
  std::string_view piece(size_t i) const { return tokenizer_.vocabulary().piece(ids_[i]); }
  void encode(std::string_view text);
  void write_plain(std::string& out) const;
  void write_json(const nlohmann::ordered_json& fields, std::string& out) const;

  const Tokenizer& tokenizer_;
  Settings settings_;
  std::vector<int32_t> ids_;
  std::vector<TokenOffset> offsets_;
};

}  // namespace bertha::text
