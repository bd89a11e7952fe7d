#pragma once

#include <string>
#include <string_view>

#include "text/unicode.h"

namespace bertha::tasks {

/// Finds what a predicted stretch of tokens was in the original text, as run_squad.py of BERT does:
/// tokens "steve smith" of the words "Steve Smith's" give "Steve Smith".
class AnswerText {
 public:
  AnswerText(bool lower_case, text::TokenRules rules)
      : rules_(text::CharacterRules::of(rules)), lower_case_(lower_case) {}

  /// `predicted`: the tokens' text, one blank between words; `original`: the words they came from.
  /// `original` itself where the two cannot be aligned character by character.
  std::string recover(std::string_view predicted, std::string_view original) const;

 private:
  std::u32string basic_tokens(std::string_view text) const;

  const text::CharacterRules& rules_;
  bool lower_case_;
};

}  // namespace bertha::tasks
