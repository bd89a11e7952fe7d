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

struct WikitextOptions {
  ListItems lists = ListItems::kProse;
  bool headings = true;  ///< a section with prose keeps its heading as a line with a full stop
};

/// Plain text with one paragraph, list item or heading per line. Each line ends with \n and no line
/// is empty; the result is "" when there is no prose. `title` replaces {{PAGENAME}}. Templates that
/// carry text within a sentence are rendered (wikitext_templates.h). All other templates are
/// dropped, and so are tables, references, formulas, galleries, pictures with their captions, and
/// categories.
std::string wikitext_to_prose(std::string_view wikitext, std::string_view title, const Site& site,
                              const WikitextOptions& options = {});

/// Replaces a `|` that separates the parts of a template or link, once nested elements have become
/// text. XML does not allow this character.
inline constexpr char kSeparator = '\x01';

}  // namespace bertha::corpus
