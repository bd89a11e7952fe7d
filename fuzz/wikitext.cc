// Input: bytes as wikitext; their number chooses the language of the wiki and the options.
// Expected: lines of prose that are not much longer than the text.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "corpus/wikitext.h"

namespace {

using namespace bertha::corpus;

/// Wikis of four languages; the last one has no words for templates.
std::array<Site, 4> sites() {
  std::array<Site, 4> all;
  all[1].set_language("de");
  all[2].set_language("ja");
  all[3].set_language("tlh");
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::array<Site, 4> kSites = sites();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const WikitextOptions options = {.lists = static_cast<ListItems>(2 - size / 4 % 3),
                                   .headings = size / 12 % 2 == 0,
                                   .formulas = static_cast<Formulas>((size / 24 + 1) % 3)};
  const std::string prose = wikitext_to_prose(text, "Title", kSites[size % 4], options);
  // Templates such as "{{SMU}}" are longer when rendered; no template adds more than two dozen
  // bytes.
  if (prose.size() > 8 * size + 64) std::abort();
  if (!prose.empty() && (prose.back() != '\n' || prose.find("\n\n") != std::string::npos)) {
    std::abort();
  }
  return 0;
}
