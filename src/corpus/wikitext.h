#pragma once

// Converts wikitext to prose. The first pass scans the text with a stack of open elements
// (templates, tables, links); the second pass processes the resulting lines. The time is linear in
// the text and the stack is bounded for every input. An element that is never closed loses its mark
// and keeps its words.

#include <cstdint>
#include <string>
#include <string_view>

#include "corpus/site.h"

namespace bertha::corpus {

/// How list items are handled.
enum class ListItems : uint8_t {
  kNone,   ///< dropped, as WikiExtractor does
  kProse,  ///< whole sentences are kept
  kAll,
};

/// Parses "none", "prose" or "all", the values of --lists; throws Error for other values.
ListItems parse_list_items(const std::string& name);

/// What stands for a formula (<math>, <chem>, <ce>).
enum class Formulas : uint8_t {
  kNone,    ///< nothing
  kNumber,  ///< "formula_1", "formula_2", … by page, as WikiExtractor writes it
  kText,    ///< its source, in TeX
};

/// Parses "none", "number" or "text", the values of --formulas; throws Error for other values.
Formulas parse_formulas(const std::string& name);

struct WikitextOptions {
  ListItems lists = ListItems::kProse;
  bool headings = true;  ///< a section with prose keeps its heading as a line with a full stop
  Formulas formulas = Formulas::kNumber;
};

/// Plain text with one paragraph, list item or heading per line. Each line ends with \n and no line
/// is empty; the result is "" when there is no prose. `title` replaces {{PAGENAME}}. Templates that
/// carry text within a sentence are rendered (wikitext_templates.h). All other templates are
/// dropped, and so are tables, references, galleries, pictures with their captions, and categories.
std::string wikitext_to_prose(std::string_view wikitext, std::string_view title, const Site& site,
                              const WikitextOptions& options = {});

// Marks of the first pass for the second, in characters that XML does not allow.

/// Replaces a `|` that separates the parts of a template or link, once nested elements have become
/// text.
inline constexpr char kSeparator = '\x01';
/// An apostrophe that is no mark of italics or bold.
inline constexpr char kApostrophe = '\x02';
/// Nothing; separates what stands on both sides, so that it does not form a mark.
inline constexpr char kGuard = '\x03';

/// The word that stands for a formula; its number follows.
inline constexpr std::string_view kFormulaWord = "formula_";

}  // namespace bertha::corpus
