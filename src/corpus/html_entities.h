#pragma once

#include <string>
#include <string_view>

namespace bertha::corpus {

/// Appends the character of the entity at the start of `text` ("&nbsp;…", "&#160;…", "&#xa0;…") and
/// returns its length in bytes, or 0 where none stands there. A code point that is none gives
/// nothing.
size_t append_entity(std::string_view text, std::string& out);

}  // namespace bertha::corpus
