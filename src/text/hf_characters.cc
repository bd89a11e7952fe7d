#include "text/hf_characters.h"

#include "text/hf_character_tables.h"
#include "text/unicode.h"
#include "text/unicode_tables.h"

namespace bertha::text::hf {
namespace {

using tables::contains;

constexpr tables::Range kWhiteSpace[] = {
    {0x09, 0x0D},     {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
    {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};

bool is_ascii(char32_t c) {
  return c < 0x80;
}

bool is_digit(char32_t c) {
  return c >= '0' && c <= '9';
}

bool is_letter(char32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_graphic(char32_t c) {
  return c > 0x20 && c < 0x7F;
}

}  // namespace

bool is_white_space(char32_t c) {
  return contains(kWhiteSpace, c);
}

bool is_dropped(char32_t c) {
  if (!is_ascii(c)) return contains(tables::hf_dropped(), c);
  return !is_graphic(c) && c != ' ' && c != '\t' && c != '\n' && c != '\r';
}

bool is_chinese(char32_t c) {
  return !is_ascii(c) && contains(chinese_ranges(TokenRules::kHf), c);
}

bool is_punctuation(char32_t c) {
  if (!is_ascii(c)) return contains(tables::hf_punctuation(), c);
  return is_graphic(c) && !is_letter(c) && !is_digit(c);
}

bool is_accent(char32_t c) {
  return !is_ascii(c) && contains(tables::hf_marks(), c);
}

bool is_combining(char32_t c) {
  return !is_ascii(c) && contains(tables::hf_combining(), c);
}

bool is_word(char32_t c) {
  return is_ascii(c) ? is_letter(c) || is_digit(c) || c == '_' : contains(tables::hf_word(), c);
}

bool is_numeric(char32_t c) {
  return is_ascii(c) ? is_digit(c) : contains(tables::hf_numeric(), c);
}

}  // namespace bertha::text::hf
