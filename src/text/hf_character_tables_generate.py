"""Writes hf_character_tables.cc. Needed only to change the pinned version; the build never runs it.

The sets are what Hugging Face's `tokenizers` package (0.22 or 0.23) does to every code point. Its
parts follow different versions of Unicode, so no single version's tables would do.

    python3 hf_character_tables_generate.py > hf_character_tables.cc
    clang-format -i hf_character_tables.cc
"""

from tokenizers.normalizers import NFKD, NFD, StripAccents
from tokenizers.pre_tokenizers import Digits, Whitespace

POINTS = [c for c in range(0x80, 0x110000) if not 0xD800 <= c < 0xE000]
HANGUL = range(0xAC00, 0xD7A4)

strip, nfd, nfkd = StripAccents().normalize_str, NFD().normalize_str, NFKD().normalize_str
words = Whitespace().pre_tokenize_str
digits = Digits(individual_digits=True).pre_tokenize_str


def ranges(points):
    result = []
    for point in points:
        if result and result[-1][1] == point - 1:
            result[-1][1] = point
        else:
            result.append([point, point])
    return result


def print_ranges(name, function, comment, points):
    print(f"// {comment}\nconstexpr Range k{name}[] = {{")
    print(", ".join("{0x%x, 0x%x}" % tuple(r) for r in ranges(points)), "};\n")
    print(f"std::span<const Range> {function}() {{ return k{name}; }}\n")


print("""#include "text/hf_character_tables.h"

// Made by hf_character_tables_generate.py. Code points from U+0080.

namespace bertha::text::tables {
""")
print_ranges("HfWord", "hf_word", "Code points that match \\w of its regular expressions.",
             [p for p in POINTS if len(words(f"a{chr(p)}a")) == 1])
print_ranges("HfNumeric", "hf_numeric", "Code points that its pre-tokenizer Digits splits at.",
             [p for p in POINTS if len(digits(f"a{chr(p)}a")) == 3])
print_ranges("HfCombining", "hf_combining", "Code points that its normalizer StripAccents removes.",
             [p for p in POINTS if strip("a" + chr(p)) == "a"])
print_ranges("HfCanonical", "hf_canonical", "Code points with a canonical decomposition, without Hangul.",
             [p for p in POINTS if nfd(chr(p)) != chr(p) and p not in HANGUL])
print_ranges("HfCompatible", "hf_compatible",
             "Code points with any decomposition, without Hangul.",
             [p for p in POINTS if nfkd(chr(p)) != chr(p) and p not in HANGUL])
print("}  // namespace bertha::text::tables")
