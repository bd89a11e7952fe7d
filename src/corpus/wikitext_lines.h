#pragma once

// The second pass of wikitext_to_prose(): lines of text in which templates, tables, links and tags
// are resolved.

#include <string>
#include <string_view>

#include "corpus/wikitext.h"

namespace bertha::corpus {

/// Resolves headings, list marks, bold and italics, entities and magic words; drops what is left
/// of tables, brackets that have become empty and sections without prose.
std::string finish_lines(std::string_view text, const WikitextOptions& options);

}  // namespace bertha::corpus
