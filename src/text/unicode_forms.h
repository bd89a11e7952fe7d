#pragma once

// The normalization forms of Unicode (standard annex 15), with the origin of each letter as Hugging
// Face's `tokenizers` package counts it.

#include <span>
#include <vector>

#include "text/unicode.h"

namespace bertha::text {

struct UnicodeForm {
  bool composed = false;    ///< NFC and NFKC
  bool compatible = false;  ///< NFKC and NFKD
};

/// A letter of a changed text. `change` > 0: the letter is inserted and shares the origin of the
/// letter before. 0: it replaces one letter. -n: it replaces one letter, and the next n go.
struct LetterChange {
  char32_t code_point = 0;
  int change = 0;
};

/// Replaces `letters` by `changed`; each letter takes its origin from the letter it replaces.
void apply_changes(std::span<const LetterChange> changed, std::vector<Letter>& letters);

void to_unicode_form(UnicodeForm form, std::vector<Letter>& letters);

}  // namespace bertha::text
