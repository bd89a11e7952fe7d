#pragma once

// The characters between two tags of XML in UTF-8, without a parser.

#include <cstddef>
#include <string>
#include <string_view>

namespace bertha::corpus {

/// Appends the characters at the front of `xml` to `text`, which grows to `limit` bytes at most,
/// and returns the bytes that they take. Ends before a tag and before all that needs a parser or is
/// an error: a reference other than XML's own five, a carriage return, which XML turns into a line
/// feed, "]]>", what is not UTF-8 or no character of XML, and what the end of `xml` cuts off.
size_t append_character_data(std::string_view xml, size_t limit, std::string& text);

}  // namespace bertha::corpus
