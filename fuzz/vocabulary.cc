// Input: bytes as a vocabulary. Expected: an Error, or a vocabulary in which every piece is found,
// with a tokenizer that returns ids of it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace {

using namespace bertha;

void check(const text::Vocabulary& vocabulary) {
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    const std::optional<int32_t> found = vocabulary.find(vocabulary.piece(id));
    if (!found || vocabulary.piece(*found) != vocabulary.piece(id) || *found < id) std::abort();
  }
  if (vocabulary.distinct_ids().size() > static_cast<size_t>(vocabulary.size())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view contents(reinterpret_cast<const char*>(data), size);
  try {
    const text::Vocabulary vocabulary = text::Vocabulary::parse(contents);
    check(vocabulary);
    const text::Tokenizer tokenizer(vocabulary);
    std::vector<int32_t> ids;
    tokenizer.encode(contents, ids);
    for (const int32_t id : ids) {
      if (id < 0 || id >= vocabulary.size()) std::abort();
    }
    vocabulary.specials();
  } catch (const Error&) {
  }
  return 0;
}
