#pragma once

// Reads the character data between two XML tags in UTF-8 without a parser.

#include <cstddef>
#include <string>
#include <string_view>

namespace bertha::corpus {

/// Appends the characters at the front of `xml` to `text`, up to `limit` bytes of text, and returns
/// the number of bytes consumed. Stops before a tag and before everything that needs a parser or is
/// an error: a reference other than XML's predefined five, a carriage return (which XML turns into
/// a line feed), "]]>", invalid UTF-8, a character that XML does not allow, and an incomplete
/// character or reference at the end of `xml`.
size_t append_character_data(std::string_view xml, size_t limit, std::string& text);

}  // namespace bertha::corpus
