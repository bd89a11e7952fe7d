#pragma once

// The second pass of wikitext_to_prose(): processes lines in which templates, tables, links and
// tags are already resolved.

#include <string>
#include <string_view>

#include "corpus/wikitext.h"

namespace bertha::corpus {

/// Resolves headings, list marks, bold and italics, entities and magic words. Drops remains of
/// tables, empty brackets and sections without prose.
std::string finish_lines(std::string_view text, const WikitextOptions& options);

}  // namespace bertha::corpus
