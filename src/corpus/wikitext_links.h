#pragma once

// The text that links and language variants show. `content` is the text between the brackets, with
// parts separated by kSeparator.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "corpus/site.h"

namespace bertha::corpus {

/// The bytes of the URL scheme at the start of `text` ("http://", "mailto:", "//"), in any case of
/// its letters, and of an IPv6 address in brackets behind it. 0 when there is none.
size_t scheme_length(std::string_view text);

/// "[http://a.b label]" shows the label, which begins where the URL ends: at a blank of any width,
/// a quotation mark, a bracket or a tag. A link without a label shows nothing.
std::string label_of_address(std::string_view content);

/// "[[target|label]]" shows the label, or else the target. Links to files and categories and to
/// other languages show nothing.
std::string link_text(std::string_view content, const Site& site);

/// For a link whose text is a part of its content as it stands, which most are: where that part
/// begins. Nothing for the others, which need link_text().
std::optional<size_t> plain_link_text(std::string_view content);

/// "-{text}-", "-{zh-hans:text;zh-hant:text}-", "-{flags|text}-" shows the first variant.
std::string variant_text(std::string_view content);

}  // namespace bertha::corpus
