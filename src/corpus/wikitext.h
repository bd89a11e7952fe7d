#pragma once

// Wikitext to prose. One pass over the text with a stack of what is open (templates, tables,
// links), then one over the lines of what came out. The time is linear in the text and the stack is
// bounded, whatever the text holds; what is never closed loses its mark and keeps its words.

#include <cstdint>
#include <string>
#include <string_view>

#include "corpus/site.h"

namespace bertha::corpus {

/// What becomes of the items of lists.
enum class ListItems : uint8_t {
  kNone,   ///< dropped, as WikiExtractor does
  kProse,  ///< whole sentences are kept
  kAll,
};

/// "none", "prose" or "all", as --lists takes them; Error for anything else.
ListItems parse_list_items(const std::string& name);

struct WikitextOptions {
  ListItems lists = ListItems::kProse;
  bool headings = true;  ///< the heading of a section that has prose, as a line with a full stop
};

/// Plain text: a paragraph (or list item, or heading) a line, each line ended by \n, no line empty;
/// "" where there is no prose. `title` stands for {{PAGENAME}}. Templates that carry text within a
/// sentence are rendered (wikitext_templates.h), all others dropped; so are tables, references,
/// formulas, galleries, pictures with their captions, and categories.
std::string wikitext_to_prose(std::string_view wikitext, std::string_view title, const Site& site,
                              const WikitextOptions& options = {});

/// Stands for a `|` that separates the parts of a template or link, once what is nested within has
/// become text. No XML holds this character.
inline constexpr char kSeparator = '\x01';

}  // namespace bertha::corpus
