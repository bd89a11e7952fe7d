#pragma once

#include <string>
#include <string_view>

#include "text/unicode.h"

namespace bertha::tasks {

/// Maps a predicted range of tokens back to the original text, as run_squad.py of BERT does: the
/// tokens "steve smith" from the words "Steve Smith's" give "Steve Smith".
class AnswerText {
 public:
  AnswerText(bool lower_case, text::TokenRules rules)
      : rules_(text::CharacterRules::of(rules)), lower_case_(lower_case) {}

  /// `predicted` is the text of the tokens with one space between words; `original` is the words
  /// that contain them. Returns `original` when the two cannot be aligned character by character.
  std::string recover(std::string_view predicted, std::string_view original) const;

 private:
  std::u32string basic_tokens(std::string_view text) const;

  const text::CharacterRules& rules_;
  bool lower_case_;
};

}  // namespace bertha::tasks
