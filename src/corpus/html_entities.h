#pragma once

#include <string>
#include <string_view>

namespace bertha::corpus {

/// Appends the character of the entity at the start of `text` ("&nbsp;…", "&#160;…", "&#xa0;…") and
/// returns the entity's length in bytes, or 0 if there is none. Names are those of HTML 5. &#128;
/// to
/// &#159; are read as browsers do, in Windows-1252. An invalid code point appends nothing.
size_t append_entity(std::string_view text, std::string& out);

}  // namespace bertha::corpus
