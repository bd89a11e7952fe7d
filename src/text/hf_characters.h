#pragma once

// Classes of code points as Hugging Face's `tokenizers` package has them. The stages of a
// tokenizer.json ask for them one by one, so they are not combined as in CharacterRules.

namespace bertha::text::hf {

bool is_white_space(char32_t c);  ///< White_Space of the Unicode standard
bool is_dropped(char32_t c);      ///< what clean_text removes: control, format, unassigned, U+FFFD
bool is_chinese(char32_t c);      ///< what handle_chinese_chars puts blanks around
bool is_punctuation(char32_t c);  ///< ASCII symbols and the categories P*
bool is_accent(char32_t c);       ///< what strip_accents removes: nonspacing marks
bool is_combining(char32_t c);    ///< what the normalizer StripAccents removes: all marks
bool is_word(char32_t c);         ///< \w of its regular expressions
bool is_numeric(char32_t c);      ///< the categories N*

}  // namespace bertha::text::hf
