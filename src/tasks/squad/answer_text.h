#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"
#include "text/unicode.h"

namespace bertha::tasks {

/// Maps a predicted range of tokens back to the original text, as run_squad.py of BERT does: the
/// tokens "steve smith" from the words "Steve Smith's" give "Steve Smith".
class AnswerText {
 public:
  /// Words change as the tokenizer's options and settings say.
  explicit AnswerText(const text::TokenizerOptions& options)
      : rules_(text::CharacterRules::of(options.rules)),
        lower_case_(options.lower_case),
        settings_(options.settings) {}

  /// `predicted` is the text of the tokens with one space between words; `original` is the words
  /// that contain them. Returns `original` when the two cannot be aligned character by character.
  std::string recover(std::string_view predicted, std::string_view original) const;

 private:
  void change_word(std::vector<text::Letter>& letters) const;
  std::u32string basic_tokens(std::string_view text) const;

  const text::CharacterRules& rules_;
  bool lower_case_;
  std::shared_ptr<const text::TokenizerSettings> settings_;
};

}  // namespace bertha::tasks
