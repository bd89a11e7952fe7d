"""Writes unicode_tables.cc. Needed only to change the pinned versions; the build never runs it.

The recipe's sets are Unicode 13 (Python 3.10): the running Python's unicodedata (3.11: Unicode 14)
held to the code points that Perl knows as present in 13.0, and U+1734, whose category changed from
Mn to Mc in 14. Hugging Face's sets are what its `tokenizers` package (0.22 or 0.23) does to every
code point: its categories are older (Unicode 8) than its case mapping (Unicode 16).

    python3 unicode_tables_generate.py > unicode_tables.cc && clang-format -i unicode_tables.cc
"""

import subprocess
import unicodedata

from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

POINTS = [c for c in range(0x80, 0x110000) if not 0xD800 <= c < 0xE000]
PRESENT = set(map(int, subprocess.check_output(
    ["perl", "-e", r'for (0..0x10ffff) { print "$_ " if chr($_) =~ /\p{Present_In: 13.0}/ }'],
    stderr=subprocess.DEVNULL).split()))


def category(point):
    if point not in PRESENT:
        return "Cn"
    return "Mn" if point == 0x1734 else unicodedata.category(chr(point))


def normalizer(step):
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return BertNormalizer(**(off | {step: True})).normalize_str


clean, lower, strip = normalizer("clean_text"), normalizer("lowercase"), normalizer("strip_accents")
pre_tokenize = BertPreTokenizer().pre_tokenize_str


def hf_is_mark(point):
    # A mark that decomposes leaves nothing only when all it decomposes into are marks.
    return strip("a" + chr(point)) == "a"


def ranges(points):
    result = []
    for point in points:
        if result and result[-1][1] == point - 1:
            result[-1][1] = point
        else:
            result.append([point, point])
    return result


def print_ranges(name, comment, points):
    print(f"// {comment}\nconstexpr Range k{name}[] = {{")
    print(", ".join("{0x%x, 0x%x}" % tuple(r) for r in ranges(points)), "};\n")
    print(f"std::span<const Range> {name_of(name)}() {{ return k{name}; }}\n")


def name_of(camel):
    return "".join("_" + c.lower() if c.isupper() else c for c in camel)[1:]


def lower_runs():
    """[first, last, step, difference]: every step-th code point maps to itself + difference."""
    runs = []
    for point in POINTS:
        small = lower(chr(point))
        if small == chr(point) or point == 0x130:  # U+0130 becomes two: unicode.cc has it
            continue
        assert len(small) == 1
        difference = ord(small) - point
        run = runs[-1] if runs else None
        if run and run[3] == difference and point - run[1] in (1, 2) and (
                run[0] == run[1] or run[2] == point - run[1]):
            run[2], run[1] = point - run[1], point
        else:
            runs.append([point, point, 1, difference])
    return runs


print("""#include "text/unicode_tables.h"

// Made by unicode_tables_generate.py. Code points from U+0080.

namespace bertha::text::tables {

namespace {""".replace("\n\nnamespace {", ""))
print_ranges("RecipeDropped", "Categories Cc, Cf, Cn, Co of Unicode 13, and U+FFFD.",
             [p for p in POINTS if category(p)[0] == "C" or p == 0xFFFD])
print_ranges("RecipePunctuation", "Categories P* of Unicode 13.",
             [p for p in POINTS if category(p)[0] == "P"])
print_ranges("RecipeMarks", "Category Mn of Unicode 13.",
             [p for p in POINTS if category(p) == "Mn"])
print_ranges("HfDropped", "Code points that Hugging Face's cleaning removes.",
             [p for p in POINTS if clean(f"a{chr(p)}b") == "ab"])
print_ranges("HfPunctuation", "Code points that Hugging Face splits off as punctuation.",
             [p for p in POINTS if len(pre_tokenize(f"a{chr(p)}b")) == 3])
print_ranges("HfMarks", "Code points that Hugging Face strips as accents.",
             [p for p in POINTS if hf_is_mark(p)])
print_ranges("Cased", "Cased and not case-ignorable.",
             [p for p in POINTS if p in PRESENT and (chr(p) + "Σ").lower()[-1] == "ς"])
print_ranges("CaseIgnorable", "Case-ignorable.",
             [p for p in POINTS if p in PRESENT and (chr(p) + "Σ").lower()[-1] == "σ"
              and ("A" + chr(p) + "Σ").lower()[-1] == "ς" or p == 0x1734])
print("// Lower case: from first to last by step, plus difference.\nconstexpr LowerRun kLowerRuns[] = {")
print(", ".join("{0x%x, 0x%x, %d, %d}" % tuple(r) for r in lower_runs()), "};\n")
print("std::span<const LowerRun> lower_runs() { return kLowerRuns; }\n")
print("}  // namespace bertha::text::tables")
