// Input: bytes as wikitext. Expected: lines of prose that are not much longer than the text.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "corpus/wikitext.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bertha::corpus::Site kSite;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string prose = bertha::corpus::wikitext_to_prose(
      text, "Title", kSite, {bertha::corpus::ListItems::kAll, true});
  // Templates such as "{{SMU}}" are longer when rendered; no template adds more than two dozen
  // bytes.
  if (prose.size() > 8 * size + 64) std::abort();
  if (!prose.empty() && (prose.back() != '\n' || prose.find("\n\n") != std::string::npos)) {
    std::abort();
  }
  return 0;
}
