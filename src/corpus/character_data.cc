#include "corpus/character_data.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "text/utf8.h"

namespace bertha::corpus {
namespace {

/// Characters that stand for themselves whatever stands around them: ASCII but for markup, '>',
/// which ends "]]>", and control characters.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (size_t c = 0x20; c < 0x80; ++c) plain[c] = true;
  for (const char c : {'<', '>', '&'}) plain[static_cast<size_t>(c)] = false;
  for (const char c : {'\t', '\n'}) plain[static_cast<size_t>(c)] = true;
  return plain;
}();

struct Reference {
  std::string_view name;
  char character;
};

/// XML 1.0, section 4.6, those first that dumps are full of.
constexpr std::array kReferences = {Reference{"&quot;", '"'}, Reference{"&lt;", '<'},
                                    Reference{"&gt;", '>'}, Reference{"&amp;", '&'},
                                    Reference{"&apos;", '\''}};

/// The bytes of the character of more than one byte at the front of `xml`; 0 where XML has none
/// such.
size_t wide_length(std::string_view xml) {
  const text::Decoded character = text::decode_utf8(xml.data(), xml.data() + xml.size());
  const bool allowed =
      character.valid && character.code_point != 0xFFFE && character.code_point != 0xFFFF;
  return allowed ? static_cast<size_t>(character.length) : 0;
}

/// Where the characters from `at` on end that stand for themselves.
size_t literal_end(std::string_view xml, size_t at) {
  while (at < xml.size()) {
    const auto c = static_cast<uint8_t>(xml[at]);
    size_t length = 1;
    if (c >= 0x80) {
      length = wide_length(xml.substr(at));
    } else if (!kPlain[c]) {
      length = c == '>' && !xml.substr(0, at).ends_with("]]") ? 1 : 0;
    }
    if (length == 0) break;
    at += length;
  }
  return at;
}

const Reference* find_reference(std::string_view xml) {
  if (!xml.starts_with('&')) return kReferences.end();
  return std::ranges::find_if(
      kReferences, [xml](const Reference& known) { return xml.starts_with(known.name); });
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
    const auto* const reference = find_reference(data.substr(end));
    const bool more = reference != kReferences.end();
    if (!more && end != tag) {  // what ends here may begin "]]>"
      while (end > at && data[end - 1] == ']') --end;
    }
    append_up_to(limit, data.substr(at, end - at), text);
    if (!more) return end;
    append_up_to(limit, {&reference->character, 1}, text);
    at = end + reference->name.size();
  }
}

}  // namespace bertha::corpus
