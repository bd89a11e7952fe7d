#include "corpus/character_data.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/utf8.h"

namespace bertha::corpus {
namespace {

/// Characters that never need a parser: ASCII except markup, '>', which ends "]]>", and control
/// characters.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (size_t c = 0x20; c < 0x80; ++c) plain[c] = true;
  for (const char c : {'<', '>', '&'}) plain[static_cast<uint8_t>(c)] = false;
  for (const char c : {'\t', '\n'}) plain[static_cast<uint8_t>(c)] = true;
  return plain;
}();

/// A character reference; bytes is 0 if it is not one of XML's five predefined entities.
struct Reference {
  char character = '\0';
  size_t bytes = 0;
};

/// XML 1.0, section 4.6, with the most frequent references of dumps first. Each comparison is
/// written out, so that it compiles to one comparison of a word.
Reference reference_at(std::string_view xml) {
  if (xml.starts_with("&quot;")) return {'"', 6};
  if (xml.starts_with("&lt;")) return {'<', 4};
  if (xml.starts_with("&gt;")) return {'>', 4};
  if (xml.starts_with("&amp;")) return {'&', 5};
  if (xml.starts_with("&apos;")) return {'\'', 6};
  return {};
}

/// The number of bytes of the multi-byte character at the front of `xml`, or 0 if XML does not
/// allow it.
size_t wide_length(std::string_view xml) {
  const Decoded character = decode_utf8(xml.data(), xml.data() + xml.size());
  const bool allowed =
      character.valid && character.code_point != 0xFFFE && character.code_point != 0xFFFF;
  return allowed ? static_cast<size_t>(character.length) : 0;
}

/// The end of the run of such characters that starts at `at`.
size_t literal_end(std::string_view xml, size_t at) {
  while (true) {
    while (at < xml.size() && kPlain[static_cast<uint8_t>(xml[at])]) ++at;
    if (at == xml.size()) return at;
    size_t length = 0;
    if (static_cast<uint8_t>(xml[at]) >= 0x80) {
      length = wide_length(xml.substr(at));
    } else if (xml[at] == '>' && !xml.substr(0, at).ends_with("]]")) {
      length = 1;
    }
    if (length == 0) return at;
    at += length;
  }
}

void append_up_to(size_t limit, std::string_view part, std::string& text) {
  if (text.size() < limit) text.append(part.substr(0, limit - text.size()));
}

}  // namespace

size_t append_character_data(std::string_view xml, size_t limit, std::string& text) {
  const size_t tag = xml.find('<');
  const std::string_view data = xml.substr(0, tag);
  text.reserve(std::min(limit, text.size() + data.size()));
  for (size_t at = 0;;) {
    size_t end = literal_end(data, at);
    const Reference reference = reference_at(data.substr(end));
    if (reference.bytes == 0 && end != tag) {  // the text that ends here may begin "]]>"
      while (end > at && data[end - 1] == ']') --end;
    }
    append_up_to(limit, data.substr(at, end - at), text);
    if (reference.bytes == 0) return end;
    append_up_to(limit, {&reference.character, 1}, text);
    at = end + reference.bytes;
  }
}

}  // namespace bertha::corpus
